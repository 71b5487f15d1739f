import { isIP } from 'node:net'
import { createSecureContext } from 'node:tls'

/** A fault in a backend's `connect`: the key, or `null` for all of it, and what would be right. */
export interface ConnectFault {
  key: string | null
  allowed: string
}

/**
 * What can be known of a backend's `connect` before the first connection: whether TLS takes it, and, where the engine
 * runs on a thread, whether it can be sent there. `null`: nothing is wrong.
 */
export function connectFault (
  origin: string, connect: Readonly<Record<string, unknown>>, thread: boolean
): ConnectFault | null {
  if (thread) {
    for (const key of Object.keys(connect)) {
      if (isCloneable(connect[key])) continue
      return { key, allowed: 'what can be sent to a thread, and so no function, as the plugin option thread is true' }
    }
  }
  if (!origin.startsWith('https:')) return null
  const { servername } = connect
  // It would be sent as it is; backends may refuse that, and proxies in front of them do.
  if (typeof servername === 'string' && isIP(servername.replace(/^\[|\]$/g, '')) !== 0) {
    return { key: 'servername', allowed: 'a host name, and no address (RFC 6066, section 3)' }
  }
  try {
    createSecureContext(connect)
    return null
  } catch (error) {
    return { key: null, allowed: `TLS options that node:tls accepts (${(error as Error).message})` }
  }
}

/** @see https://developer.mozilla.org/en-US/docs/Web/API/Web_Workers_API/Structured_clone_algorithm */
function isCloneable (value: unknown): boolean {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}
