import { HOP_BY_HOP, TOKEN } from '../http'
import { hasUnseen } from '../printable'
import type { MismatchRequest } from '../../types/index'

/** Headers that curl or HTTP sets anew for the request that is sent, RFC 9110 section 7.6.1. */
const LEFT_OUT = new Set([...HOP_BY_HOP, 'host', 'content-length', 'expect'])
/** Headers that curl adds by itself. */
const ADDED_BY_CURL = ['accept', 'user-agent']

/**
 * The request of an example as one line for a shell, with curl, aimed at a base URL such as `http://shadow:9000/v2`. It
 * is for sh, bash, dash, zsh and fish (3.4 or later), not for PowerShell, cmd or csh, which quote in other ways.
 * Whatever the request holds, the shell reads no more of it than words, and nothing in the line is unseen or obeyed by
 * a terminal. Masked values stay masked; of a body that was cut it sends what there is.
 *
 * @param host the Host to send; default: that of the URL
 */
export function curlCommand (request: MismatchRequest, baseUrl: string, host?: string): string {
  const words = ['curl', '--globoff', '--path-as-is']
  const head = request.method.toUpperCase() === 'HEAD'
  // Asked for by method, curl would wait for a body that never comes.
  if (head) words.push('--head')
  else words.push('--request', quote(TOKEN.test(request.method) ? request.method : 'GET'))

  if (host !== undefined) words.push(...headerWords('host', host))

  const names = new Set<string>()
  for (let i = 0; i + 1 < request.headers.length; i += 2) {
    const name = request.headers[i]
    const value = request.headers[i + 1]
    names.add(name.toLowerCase())
    if (!LEFT_OUT.has(name.toLowerCase())) words.push(...headerWords(name, value))
  }
  if (names.has('accept-encoding')) words.push('--compressed')
  const body = head ? null : request.body
  for (const name of body === null ? ADDED_BY_CURL : [...ADDED_BY_CURL, 'content-type']) {
    if (!names.has(name)) words.push('--header', quote(`${name}:`))
  }

  const base = baseUrl.replace(/\/$/, '')
  if (request.path.startsWith('/')) {
    words.push('--url', quote(encodeTarget(base + request.path)))
  } else {
    words.push('--request-target', quote(encodeTarget(request.path)), '--url', quote(encodeTarget(`${base}/`)))
  }

  if (body === null) return words.join(' ')
  // --data-raw takes an @ for itself; --data-binary keeps line ends, of which one line of shell cannot hold any.
  if (!hasUnseen(body)) return [...words, '--data-raw', quote(body)].join(' ')
  return `printf ${format(Buffer.from(body))} | ${words.join(' ')} --data-binary @-`
}

/** Nothing for a name or a value that is no header's. */
function headerWords (name: string, value: string): string[] {
  if (!TOKEN.test(name) || /[\0\r\n]/.test(value)) return []
  // With a colon and no value, curl would take the header out.
  return ['--header', quoteHeader(value === '' ? `${name};` : `${name}: ${value}`)]
}

/**
 * In single quotes nothing means anything to a shell, but a quote to all of them and a backslash to fish. In double
 * quotes both are the same to all.
 */
function quote (text: string): string {
  const words = text.match(/[^'\\]+|['\\]+/g) ?? ['']
  return words.map((word) => /^['\\]/.test(word) ? `"${word.replaceAll('\\', '\\\\')}"` : `'${word}'`).join('')
}

/** Header values are bytes, which Node reads as Latin-1; those that are not plain ASCII are written with printf. */
function quoteHeader (header: string): string {
  return /^[ -~]*$/.test(header) ? quote(header) : `"$(printf ${format(asBytes(header))})"`
}

/**
 * A format for printf (POSIX, XCU printf) that prints the bytes. All but a few are octal, so that not even an
 * interactive shell, which looks for `!` in double quotes, finds something in it; a `-` that begins it would be an
 * option.
 */
function format (bytes: Buffer): string {
  let text = ''
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    const plain = /[\w ,.:;=/+]/.test(char) || (char === '-' && text !== '')
    text += plain ? char : `\\${byte.toString(8).padStart(3, '0')}`
  }
  return `'${text}'`
}

/** Percent-encodes characters that cannot stand in a URL, and `#`, which would end the path. */
function encodeTarget (target: string): string {
  let encoded = ''
  for (const byte of asBytes(target)) {
    const visible = byte > 0x20 && byte < 0x7f && byte !== 0x23
    encoded += visible ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

function asBytes (text: string): Buffer {
  return Buffer.from(text, /[^\0-\xff]/.test(text) ? 'utf8' : 'latin1')
}
