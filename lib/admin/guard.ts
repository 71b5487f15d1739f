import { door } from '../guard'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction, RouteOptions } from 'fastify'
import type { AdminHook } from '../../types/index'

type Handler = RouteOptions['handler']

/** Replies that somebody answers: `reply.sent` says so only when the onSend hooks are through, which may wait. */
const answered = new WeakSet<FastifyReply>()

/** An onRequest hook, before the guard: has it known that somebody answers as soon as that is so. */
export function watchReply (_request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const { send, callNotFound } = reply
  reply.send = function (payload) {
    answered.add(reply)
    return send.call(reply, payload)
  }
  reply.callNotFound = function () {
    answered.add(reply)
    return callNotFound.call(reply)
  }
  done()
}

function isAnswered (reply: FastifyReply): boolean {
  return answered.has(reply) || reply.sent || reply.raw.headersSent
}

/**
 * The guard, with or without a callback, such that nothing goes on once it has answered, whatever it returns, throws or
 * calls. What fails with nothing fails all the same: Fastify takes an error that is `undefined` for none.
 */
export function asGuard (hook: AdminHook) {
  return function (
    this: FastifyInstance, request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction
  ): void {
    let over = false
    const goOn = (error?: Error) => {
      if (over || isAnswered(reply)) return
      over = true
      done(error)
    }
    const fail = (error: unknown) => goOn((error || new Error('the guard failed, and did not say why')) as Error)
    try {
      const result = hook.call(this, request, reply, goOn)
      if (typeof result?.then === 'function') result.then(door(() => goOn()), door(fail))
    } catch (error) {
      fail(error)
    }
  }
}

/** Other hooks, such as `routeOptions` may bring, can answer as a guard does. */
export function unlessAnswered (handler: Handler): Handler {
  return function (request, reply) {
    return isAnswered(reply) ? undefined : handler.call(this, request, reply)
  }
}
