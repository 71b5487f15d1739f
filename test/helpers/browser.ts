import type { Test } from 'tap'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

const path = (process.env.PATH ?? '').split(delimiter).map(folder => join(folder, 'chromium')).find(file => existsSync(file))

/** Why tests in a browser are skipped, or `false`. */
export const noBrowser = path === undefined && 'Chromium is not installed: apt-get install chromium'

/** Names of this machine: two origins of one site, to which browsers, other than to loopback, do not say much over plain HTTP. */
export const HOSTS = { gateway: 'ops.shop.test', sister: 'blog.shop.test' }

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
  `--host-resolver-rules=${Object.values(HOSTS).map(host => `MAP ${host} 127.0.0.1`).join(',')}`
]

let browser: Promise<Browser> | undefined

/** Ends the browser that all tests of a file share. */
export async function closeBrowser (): Promise<void> {
  await (await browser)?.close()
}

export interface Looked {
  page: Page
  /** What the browser complained of: exceptions, violations of the policy, what could not be loaded. */
  complaints: string[]
  /** Everything that was asked for. */
  requests: string[]
}

/** A page of its own, with nothing in it yet. */
export async function openPage (t: Test, options: BrowserContextOptions = {}): Promise<Looked> {
  browser ??= chromium.launch({ executablePath: path, args: FLAGS })
  const context = await (await browser).newContext(options)
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(20_000)
  const complaints: string[] = []
  const requests: string[] = []
  page.on('console', message => { if (message.type() !== 'log') complaints.push(`${message.type()}: ${message.text()}`) })
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('dialog', dialog => {
    complaints.push(`dialog: ${dialog.message()}`)
    dialog.dismiss().catch(() => {})
  })
  page.on('request', request => requests.push(request.url()))
  return { page, complaints, requests }
}
