/**
 * An error that is made once, for all copies that end so. Its stack would tell nothing of any of them, and Node, which
 * asks a socket's error for it, would take milliseconds to write the first one down.
 */
export function constantError (message: string): Error {
  const error = new Error(message)
  error.stack = `${error.name}: ${message}`
  return error
}
