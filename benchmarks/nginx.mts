import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Usage } from './gateway.mjs'

function configOf (directory: string, port: number, primary: string, shadow: string | null): string {
  const upstream = (name: string, url: string) => `upstream ${name} { server ${new URL(url).host}; keepalive 256; }`
  const pass = 'proxy_http_version 1.1; proxy_set_header Connection "";'
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    pid ${directory}/pid;
    error_log ${directory}/error.log;
    worker_processes 1;
    worker_rlimit_nofile 8192;
    events { worker_connections 4096; }
    http {
      access_log off;
      keepalive_requests 100000000;
      client_max_body_size 0;
      client_body_temp_path ${directory}; proxy_temp_path ${directory}; fastcgi_temp_path ${directory};
      uwsgi_temp_path ${directory}; scgi_temp_path ${directory};
      ${upstream('primary', primary)}
      ${shadow === null ? '' : upstream('shadow', shadow)}
      server {
        listen 127.0.0.1:${port} backlog=2048;
        location / { ${shadow === null ? '' : 'mirror /mirror;'} ${pass} proxy_pass http://primary; }
        ${shadow === null ? '' : `location = /mirror { internal; ${pass} proxy_pass http://shadow$request_uri; }`}
      }
    }`
}

async function freePort (): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => { server.close(resolve) })
  return port
}

/** Looks until there is something, for five seconds. */
async function found<T> (what: string, look: () => T | null | Promise<T | null>): Promise<T> {
  for (let tries = 0; tries < 100; tries++) {
    const result = await look()
    if (result !== null) return result
    await sleep(50)
  }
  throw new Error(`nginx has no ${what}`)
}

function listenerAt (port: number): Promise<true | null> {
  return new Promise(resolve => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => { socket.destroy(); resolve(true) })
    socket.on('error', () => resolve(null))
  })
}

/** The process that serves: the master listens before it has started it. */
function workerOf (master: number): number | null {
  const [worker] = readFileSync(`/proc/${master}/task/${master}/children`, 'latin1').split(' ')
  return worker === '' ? null : Number(worker)
}

/** An nginx of one worker, as a gateway. Its processor time and memory are the worker's. */
export class Nginx {
  readonly port: number
  readonly #directory: string
  readonly #master: ReturnType<typeof spawn>
  #worker = 0
  #began = 0

  private constructor (port: number, directory: string, master: ReturnType<typeof spawn>) {
    this.port = port
    this.#directory = directory
    this.#master = master
  }

  /** @param shadow where to mirror to; `null`: no mirror */
  static async start (primary: string, shadow: string | null, cpus: string | null): Promise<Nginx> {
    const port = await freePort()
    const directory = mkdtempSync(join(tmpdir(), 'bench-nginx-'))
    const config = join(directory, 'nginx.conf')
    writeFileSync(config, configOf(directory, port, primary, shadow))
    const command = [...(cpus === null
      ? []
      : ['taskset', '-c', cpus]), 'nginx', '-c', config, '-e', `${directory}/error.log`, '-g', 'daemon off;']
    const master = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] })
    const nginx = new Nginx(port, directory, master)
    await found('listener', () => listenerAt(port))
    nginx.#worker = await found('worker', () => workerOf(master.pid as number))
    return nginx
  }

  /** Milliseconds of processor time that the worker has used. */
  #cpu (): number {
    return Number(readFileSync(`/proc/${this.#worker}/schedstat`, 'latin1').split(' ')[0]) / 1e6
  }

  begin (): void {
    this.#began = this.#cpu()
  }

  end (): Usage {
    return { loop: NaN, main: NaN, cpu: this.#cpu() - this.#began }
  }

  forgetPeak (): void {
    writeFileSync(`/proc/${this.#worker}/clear_refs`, '5')
  }

  peak (): number {
    const [, kib] = /VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${this.#worker}/status`, 'latin1')) as RegExpExecArray
    return Number(kib) * 1024
  }

  books (): null {
    return null
  }

  async stop (): Promise<void> {
    const ended = new Promise(resolve => { this.#master.once('exit', resolve) })
    this.#master.kill('SIGTERM')
    await ended
    rmSync(this.#directory, { recursive: true, force: true })
  }
}
