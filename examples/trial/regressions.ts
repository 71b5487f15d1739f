/** What v2 does wrong: the endpoint and the place where that must show. */
export interface Regression {
  name: string
  /** As the plugin names it. */
  endpoint: string
  /** What a place must contain; `null`: the endpoint's latency tells. */
  at: string | null
  words: string
}

export const REGRESSIONS: readonly Regression[] = [
  { name: 'rare', endpoint: 'GET /orders/*/invoice', at: 'body', words: 'a cent in 5 % of the invoices' },
  { name: 'null', endpoint: 'GET /users/*', at: '/phone', words: 'null where there was nothing' },
  { name: 'cent', endpoint: 'GET /prices/*', at: '/gross', words: 'a cent, where the last digits are noise' },
  { name: 'slow', endpoint: 'GET /search', at: null, words: 'one endpoint is 60 ms slower' },
  { name: 'status', endpoint: 'PATCH /users/*', at: 'status', words: '422 for bad input that was 400' },
  { name: 'missing', endpoint: 'GET /recommendations', at: '/*', words: 'one item less in a list in random order' },
  { name: 'cookie', endpoint: 'POST /login', at: 'header:set-cookie', words: 'a cookie without Secure' },
  { name: 'id', endpoint: 'POST /orders', at: '/id', words: 'an id that is a number' },
  { name: 'graphql', endpoint: 'POST /graphql', at: '/data/mine', words: 'one GraphQL operation' },
  { name: 'race', endpoint: 'GET /carts/*', at: '/total', words: 'a total that is wrong now and then' }
]
