/** A Prometheus exposition: values by name and labels, as they stand there. */
export function samplesOf (exposition: string): Record<string, number> {
  const lines = exposition.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map(line => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1))]
  }))
}
