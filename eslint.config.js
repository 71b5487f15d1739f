'use strict'

const neostandard = require('neostandard')

const tsFiles = ['**/*.ts', '**/*.mts']
const fastify = ['fastify', 'fastify-plugin', '@fastify/*']
const sockets = ['undici', 'node:dns*', 'node:http*', 'node:net', 'node:tls']

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
  walls(['lib/**/*.ts'], sockets, 'Only lib/engine opens sockets.'),
  walls(['lib/engine/**/*.ts'], fastify, 'The engine knows nothing of Fastify.'),
  walls(['lib/{compare,decision,metrics}/**/*.ts'], [...fastify, ...sockets], 'This part knows nothing of Fastify or of sockets.'),
  walls(['examples/**/*.ts'], ['**/lib/**', '!**/lib/index'], 'Examples use the public API only.')
]

/** @param {string[]} files @param {string[]} group @param {string} message */
function walls (files, group, message) {
  return {
    files,
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ group, message, allowTypeImports: true }] }] }
  }
}
