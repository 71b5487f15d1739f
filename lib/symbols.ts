/** On a request: its `Chosen`, or `null`. On a raw request or response: the `Chosen` that observes it. */
export const kChosen = Symbol('fastify-mirror.chosen')

/** On a payload stream: the `Answer` that hears its chunks. */
export const kAnswer = Symbol('fastify-mirror.answer')
