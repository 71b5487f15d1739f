'use strict'

const neostandard = require('neostandard')

const tsFiles = ['**/*.ts', '**/*.mts']
const fastify = ['fastify', 'fastify-plugin', '@fastify/*']
const sockets = ['undici', 'node:dns*', 'node:http*', 'node:net', 'node:tls']

// Foreign code calls ours through lib/guard.ts alone: a function that is handed over is made by `door`, called `enter...`, or does nothing of ours.
const handedOver = [
  ':not([callee.name="door"])', ':not([callee.property.name="door"])', ':not([name=/^(?:enter[A-Z].*|resolve|noop)$/])'
].join('')
const entrances = [
  { what: 'callee.name=/^(?:setTimeout|setImmediate|setInterval|queueMicrotask)$/', at: 0 },
  { what: 'callee.property.name="nextTick"', at: 0 },
  { what: 'callee.property.name=/^(?:on|once|addListener|prependListener)$/', at: 1 },
  { what: 'callee.property.name=/^(?:then|catch|finally)$/', at: 0 }
].map(({ what, at }) => ({
  selector: `CallExpression[${what}] > ${handedOver}.arguments:nth-child(${at + 1})`,
  message: 'Foreign code comes in through the guard alone: make it a door (lib/guard.ts).'
}))

entrances.push({
  selector: 'VariableDeclarator[id.name=/^enter[A-Z]/]:not([init.callee.name="door"]):not([init.callee.property.name="door"])',
  message: 'Only a door may be called so.'
})

module.exports = [
  ...neostandard({ ts: true, noJsx: true, filesTs: ['**/*.mts'], ignores: ['dist', '.tap', 'node_modules'] }),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: tsFiles,
    plugins: { '@typescript-eslint': neostandard.plugins['typescript-eslint'].plugin },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error'
    }
  },

  {
    files: ['lib/admin/ui/**'],
    rules: {
      // tsc knows the names that browsers have.
      'no-undef': 'off',
      'no-restricted-properties': ['error', ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'setHTMLUnsafe'].map(property => (
        { property, message: 'What backends answer must not become HTML: use dom.mjs.' }
      ))]
    }
  },

  // The walls between the parts: what is not in the list of its part, a file may not import. Types may pass.
  walls(['lib/**/*.ts'], sockets, 'Only lib/engine/http opens sockets.'),
  walls(['lib/engine/**/*.ts'], [...fastify, ...sockets], 'The engine knows nothing of Fastify, and only lib/engine/http opens sockets.'),
  walls(['lib/engine/http/**/*.ts'], fastify, 'The engine knows nothing of Fastify.'),
  walls(['lib/{compare,decision,metrics}/**/*.ts'], [...fastify, ...sockets], 'This part knows nothing of Fastify or of sockets.'),
  {
    files: ['lib/**/*.ts'],
    ignores: ['lib/guard.ts'],
    rules: {
      'no-restricted-syntax': ['error', ...entrances]
    }
  },
  {
    files: [...tsFiles, '**/*.{js,mjs}'],
    // Not yet.
    ignores: [
      'test/**', '*.js', 'types/index.tst.ts', 'benchmarks/{machine,memory,micro,profile}.mts', 'scripts/verdict/index.ts',
      'lib/compare/json/**', 'lib/compare/{bodies,headers}.ts'
    ],
    rules: { '@stylistic/max-len': ['error', { code: 120, ignoreRegExpLiterals: true }] }
  },
  walls(['examples/**/*.ts'], ['**/lib/**', '!**/lib/index'], 'Examples use the public API only.')
]

/** @param {string[]} files @param {string[]} group @param {string} message */
function walls (files, group, message) {
  return {
    files,
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ group, message, allowTypeImports: true }] }] }
  }
}
