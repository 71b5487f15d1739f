import dns from 'node:dns'
import type { LookupAddress, LookupAllOptions } from 'node:dns'
import { readFile, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { door } from '../../guard'
import { constantError } from '../constant-error'

/** Asks the system, as `dns.lookup` does for all addresses. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
) => void

/** The system's own names and its name servers. */
export interface SystemFiles {
  hosts: string
  /** Search domains. Where there is none, names are asked as they are. */
  config: string
}

const HOSTS: Partial<Record<NodeJS.Platform, string>> = {
  win32: join(`${process.env.SystemRoot}`, 'System32/drivers/etc/hosts')
}
const FILES: SystemFiles = { hosts: HOSTS[process.platform] ?? '/etc/hosts', config: '/etc/resolv.conf' }
/** Bytes of such a file that are read. In a longer one any name may stand. */
const MAX_FILE = 256 * 1024
/** Domains that are tried for one name. */
const MAX_DOMAINS = 32

const NO_ANSWER = Object.assign(constantError('no DNS server answers'), { code: 'EAI_AGAIN' })
const CANCELLED = Object.assign(constantError('the look-up was called off'), { code: 'ECANCELLED' })

/**
 * `dns.lookup`, once the servers that it will ask have answered the same question.
 *
 * In front of servers that do not answer it hangs in one of libuv's threads, where nothing can call it off, and the
 * process can not end. A question of c-ares can be called off. What the servers said is not used: the system has more
 * to go by than they.
 */
export class NameServers {
  readonly #files: SystemFiles
  #resolver: dns.Resolver | null = null
  #cancelled = false

  constructor (files = FILES) {
    this.#files = files
  }

  /** Resolves one name at a time. */
  readonly resolve: Resolve = (hostname, options, callback) => {
    this.#cancelled = false
    const enterFault = door((fault: Error | null) => {
      this.#resolver = null
      if (this.#cancelled) callback(CANCELLED, [])
      else if (fault !== null) callback(fault, [])
      else look(hostname, options, callback)
    })
    this.#fault(hostname, options.family === 6).then(enterFault)
  }

  /** Calls off what is under way, unless the system has been asked by now. */
  cancel (): void {
    this.#cancelled = true
    this.#resolver?.cancel()
  }

  /** Why the system must not be asked; `null`: it may, unless all was called off. Never rejects. */
  async #fault (hostname: string, onlyIPv6: boolean): Promise<Error | null> {
    if (isIP(hostname) !== 0 || /^(?:.+\.)?localhost\.?$/i.test(hostname)) return null
    const [hosts, config] = await Promise.all([read(this.#files.hosts), read(this.#files.config)])
    if (hosts === null || hasName(hosts, hostname.toLowerCase())) return null
    // A new one each time, as the servers may have changed.
    const resolver = this.#resolver = new dns.Resolver({ tries: 3 })
    for (const name of candidates(hostname, config ?? '')) {
      if (this.#cancelled) break
      const code = await ask(resolver, name, onlyIPv6)
      if (code === 'ETIMEOUT') return NO_ANSWER
      // There is such a name, if only with addresses of the other family. The system will ask for no other.
      if (code === null || code === 'ENODATA') break
    }
    return null
  }
}

function look (...[hostname, options, callback]: Parameters<Resolve>): void {
  try {
    dns.lookup(hostname, options, callback)
  } catch (error) {
    // Options that it refuses.
    callback(error as Error, [])
  }
}

/** A file's text: empty where there is none, `null` where it is too long. */
async function read (path: string): Promise<string | null> {
  try {
    return (await stat(path)).size > MAX_FILE ? null : await readFile(path, 'utf8')
  } catch {
    return ''
  }
}

/** Whether the name stands in a hosts file. @param name in lower case */
function hasName (hosts: string, name: string): boolean {
  return hosts.toLowerCase().split('\n').some(line => {
    return line.includes(name) && line.replace(/#.*/, '').trim().split(/\s+/).indexOf(name) > 0
  })
}

/**
 * The names that the system asks for in turn: with the domains of its configuration, or first without (resolv.conf(5)).
 */
function candidates (name: string, config: string): string[] {
  if (name.endsWith('.')) return [name]
  const last = (pattern: RegExp) => [...config.matchAll(pattern)].at(-1)?.[1]
  const listed = (last(/^(?:search|domain)[ \t]+(.*)$/gm) ?? '').split(/[\s;#]+/)
  const domains = listed.filter(domain => domain !== '' && domain !== '.')
  const longer = domains.slice(0, MAX_DOMAINS).map(domain => `${name}.${domain}`)
  const dots = name.split('.').length - 1
  return dots >= Number(last(/^options[ \t].*\bndots:(\d+)/gm) ?? 1) ? [name, ...longer] : [...longer, name]
}

/** The code of what went wrong; `null`: there are addresses. */
function ask (resolver: dns.Resolver, name: string, onlyIPv6: boolean): Promise<string | null> {
  return new Promise(resolve => {
    resolver[onlyIPv6 ? 'resolve6' : 'resolve4'](name, error => resolve(error?.code ?? null))
  })
}
