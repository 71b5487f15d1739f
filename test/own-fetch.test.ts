import t from 'tap'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exampleEnvironment } from './helpers/process'

// In processes of their own: whoever loads undici or uses fetch first decides for the whole process.

const script = `
  if (process.argv[1] !== '') require(process.argv[1])
  const server = require('node:http').createServer((request, response) => response.end('ok')).listen(0, '127.0.0.1', async () => {
    const headers = { 'content-length': '0' }
    const answer = fetch('http://127.0.0.1:' + server.address().port, { method: 'DELETE', body: '', headers })
    console.log(await answer.then(response => response.text(), error => String(error.cause)))
    server.close()
    server.closeAllConnections()
  })`

t.test('the app\'s fetch stays Node\'s own', async t => {
  const [without, withPlugin] = await Promise.all(['', join(__dirname, '../lib/index.ts')].map(async plugin => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '-e', script, plugin], { env: exampleEnvironment() })
    return stdout
  }))
  t.equal(withPlugin, without, 'what undici refuses, and Node does not')
})
