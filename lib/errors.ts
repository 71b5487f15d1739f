import { createError } from '@fastify/error'

/** The value of a key is not allowed. Arguments: whose option, its path, what is allowed, the value as text. */
export const FST_MIRROR_INVALID_OPTION = createError<
  'FST_MIRROR_INVALID_OPTION', [owner: string, path: string, allowed: string, value: string]
>('FST_MIRROR_INVALID_OPTION', '%s: %s must be %s, got %s', 500, TypeError)

/** A key that no option has. `hint` is empty, or begins with a comma. */
export const FST_MIRROR_UNKNOWN_OPTION = createError<
  'FST_MIRROR_UNKNOWN_OPTION', [owner: string, path: string, value: string, hint: string, allowed: string]
>('FST_MIRROR_UNKNOWN_OPTION', '%s: %s (%s) is not an option%s; allowed: %s', 500, TypeError)

/** The same thing said twice: `mirror` and `config.mirror`, or one key in two spellings. */
export const FST_MIRROR_CONFLICTING_OPTIONS = createError<
  'FST_MIRROR_CONFLICTING_OPTIONS', [owner: string, first: string, second: string]
>('FST_MIRROR_CONFLICTING_OPTIONS', '%s: %s and %s are the same option, give only one of them', 500, TypeError)

/** Two mirrors of one name. `id` as text, in quotes; `other` is the route that has it already. */
export const FST_MIRROR_DUPLICATE_ID = createError<
  'FST_MIRROR_DUPLICATE_ID', [owner: string, id: string, other: string]
>('FST_MIRROR_DUPLICATE_ID', '%s: mirror.id %s is taken by %s; every mirror needs an id of its own', 500, TypeError)

/** Thrown with `strict`. Argument: the routes whose mirrors the plugin could not see, one a line. */
export const FST_MIRROR_NOT_MIRRORED = createError<'FST_MIRROR_NOT_MIRRORED', [faults: string]>(
  'FST_MIRROR_NOT_MIRRORED', '%s', 500, TypeError
)

export const FST_MIRROR_ALREADY_REGISTERED = createError<'FST_MIRROR_ALREADY_REGISTERED', []>(
  'FST_MIRROR_ALREADY_REGISTERED', 'fastify-mirror is already registered in this scope', 500, TypeError
)

/** Node's permission model is on, without leave to start workers. */
export const FST_MIRROR_THREAD_NOT_ALLOWED = createError<'FST_MIRROR_THREAD_NOT_ALLOWED', []>(
  'FST_MIRROR_THREAD_NOT_ALLOWED',
  'thread: true needs a worker thread, which Node\'s permission model forbids to this process; ' +
  'start Node with --allow-worker, too, or leave out thread: true',
  500, TypeError
)

/**
 * Of a request, not of an option: a browser was made to ask by a page from elsewhere, with the rights of whoever sits
 * before it.
 */
export const FST_MIRROR_OTHER_ORIGIN = createError<'FST_MIRROR_OTHER_ORIGIN', [origin: string, host: string]>(
  'FST_MIRROR_OTHER_ORIGIN',
  'a page of another origin (%s) may not read or change anything at %s; ' +
  'a proxy between them must pass Host on, or trustProxy be set',
  403
)

/** A request asks for a name that `admin.hosts` does not have. */
export const FST_MIRROR_OTHER_HOST = createError<'FST_MIRROR_OTHER_HOST', [host: string]>(
  'FST_MIRROR_OTHER_HOST', 'the mirrors do not answer to the host %s; admin.hosts has the names that they answer to',
  421
)

/** `since` of a request is no period. */
export const FST_MIRROR_BAD_PERIOD = createError<'FST_MIRROR_BAD_PERIOD', []>(
  'FST_MIRROR_BAD_PERIOD', 'since must be the id of a period, or a time such as 2026-01-31T12:00:00Z', 400
)

/** A request asks for a period that is not counted here. `since`: when the present one began. */
export const FST_MIRROR_OLDER_PERIOD = createError<'FST_MIRROR_OLDER_PERIOD', [since: string]>(
  'FST_MIRROR_OLDER_PERIOD', 'the present period is an older one, it began at %s: reset the counters first', 409
)

/** Too many requests wait for a verdict, each with a connection. */
export const FST_MIRROR_TOO_MANY_WAIT = createError<'FST_MIRROR_TOO_MANY_WAIT', []>(
  'FST_MIRROR_TOO_MANY_WAIT', 'too many requests wait for a verdict already', 503
)
