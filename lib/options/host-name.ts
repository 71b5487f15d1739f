/** The form of a Host header: a name or an address, IPv6 in brackets, and perhaps a port. */
const HOST = /^(?:\[[\da-f:.]+\]|[^\s:/?#@\\[\]<>^|%*,;"]+)(?::\d*)?$/i

/** The name or address of a Host header, without port, as all spellings of it are compared; `null`: it is none. */
export function hostName (host: string): string | null {
  const url = `http://${host}`
  return HOST.test(host) && URL.canParse(url) ? new URL(url).hostname : null
}

/** The same of what has no port; IPv6 may do without the brackets. */
export function bareHost (text: string): string | null {
  const host = text.includes(':') && !text.startsWith('[') ? `[${text}]` : text
  return hostName(`${host}:80`)
}
