// A reporter of node:test whose output is read by a program: one line of JSON for each test that has ended.

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function * reporter (events) {
  /** Names of the tests that are open, by depth: what contains a test begins before it and ends after it. */
  const names = []
  for await (const { type, data } of events) {
    if (type === 'test:start') {
      names.length = data.nesting
      names.push(data.name)
    } else if (type === 'test:pass' || type === 'test:fail') {
      const { error } = data.details
      const skipped = data.skip !== undefined || data.todo !== undefined
      yield JSON.stringify({
        name: [...names.slice(0, data.nesting), data.name].join(' > '),
        outcome: skipped ? 'skipped' : type === 'test:pass' ? 'passed' : 'failed',
        error: error && String(error.cause?.stack ?? error.stack ?? error)
      }) + '\n'
    }
  }
}
