import { readFileSync } from 'node:fs'
import { readConfig } from './config'
import type { GatewayConfig } from './config'
import { RouteError, createGateway } from './gateway'
import type { Gateway } from './gateway'
import { FileError, YamlFile } from './yaml-file'

async function start (path: string): Promise<void> {
  const file = new YamlFile(readFileSync(path, 'utf8'))
  const config = readConfig(file)
  let gateway: Gateway
  try {
    gateway = await createGateway(config)
  } catch (error) {
    if (!(error instanceof RouteError)) throw error
    throw new FileError(file.lineOf(['routes', error.route, error.ofMirror ? 'mirror' : 'path']), error.message)
  }
  await listen(gateway, config)
}

async function listen ({ app, admin, shutdown }: Gateway, config: GatewayConfig): Promise<void> {
  shutdown.atSignals(admin === null ? [app.server] : [app.server, admin.server])
  const { host, port } = config.admin
  const [{ address }] = config.listeners
  const colon = address.lastIndexOf(':')
  try {
    if (admin !== null) app.log.info(`Admin listening at ${await admin.listen(host, port)}`)
    await app.listen({ host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) })
  } catch (error) {
    await app.close()
    throw error
  }
}

const [path, ...rest] = process.argv.slice(2)
if (path === undefined || rest.length > 0) {
  console.error('npm start -- path/to/gateway.yaml')
  process.exitCode = 1
} else {
  start(path).catch(error => {
    const { message } = error as Error
    console.error(error instanceof FileError ? `${path}: line ${error.line}: ${message}` : `${path}: ${message}`)
    process.exitCode = 1
  })
}
