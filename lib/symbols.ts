/**
 * On a request: its `MirroredRequest`, `null`, or `undefined` on one of Fastify's own. On a raw response: the
 * `MirroredRequest` that it answers.
 */
export const kMirrored = Symbol('fastify-mirror.request')

/** On a raw request: who hears its body, the first of a chain. */
export const kBody = Symbol('fastify-mirror.body')

/** On a payload stream: its tap. */
export const kTap = Symbol('fastify-mirror.tap')

/** On what is observed by shadowing a method: the method that it had. */
export const kPush = Symbol('fastify-mirror.push')
export const kFrom = Symbol('fastify-mirror.from')

/** On a socket: the responses that wait for their turn on it, each with whom to tell when it closes. */
export const kQueued = Symbol('fastify-mirror.queued')
