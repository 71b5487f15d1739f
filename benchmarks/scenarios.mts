import type { Scenario } from './rounds.mjs'

const get = { method: 'GET', path: '/json', length: 0, connections: 32 } as const

/** What is measured in interleaved rounds, with a shadow that keeps up. */
export const scenarios: Scenario[] = [
  {
    name: 'small',
    title: 'GETs of 78 bytes of JSON, 32 connections',
    load: get,
    share: 0.5,
    groups: [
      ['base', 'control', 'no mirror', '0 %', 'floor', 'inline', 'inline compare', 'thread', 'thread compare', 'naive'],
      ['nginx', 'nginx control', 'nginx mirror']
    ],
    rounds: 5
  },
  {
    name: 'diff',
    title: 'The same with a detailed diff',
    load: get,
    share: 0.5,
    groups: [['base', 'control', 'inline diff', 'inline diff, all differ', 'thread diff', 'thread diff, all differ']],
    rounds: 5
  },
  {
    name: 'post',
    title: 'POSTs of 2 KiB, 32 connections',
    load: { ...get, method: 'POST', length: 2048 },
    groups: [
      ['base', 'control', 'floor', 'inline', 'inline compare', 'thread compare', 'naive'],
      ['nginx', 'nginx control', 'nginx mirror']
    ],
    rounds: 5
  },
  {
    name: 'large',
    title: 'GETs of 1 MiB, 32 connections',
    load: { ...get, path: '/large' },
    groups: [
      ['base', 'control', 'floor', 'inline', 'inline compare', 'thread compare', 'naive'],
      ['nginx', 'nginx control', 'nginx mirror']
    ],
    rounds: 5
  },
  {
    name: 'connections',
    title: 'GETs of 78 bytes of JSON, 512 connections',
    load: { ...get, connections: 512 },
    groups: [
      ['base', 'control', 'floor', 'inline', 'inline compare', 'thread compare', 'naive'],
      ['nginx', 'nginx control', 'nginx mirror']
    ],
    rounds: 5
  }
]

/** The load under which shadows misbehave. */
export const steady = { ...get, rate: 0 }
