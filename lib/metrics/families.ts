import type { BreakerState } from '../../types/index'
import type { BackendBooks, MirrorBooks } from './books'
import type { EndpointCounts } from './endpoint-totals'
import type { Histogram, LatencyHistograms } from './histogram'
import type { RepeatBooks } from './repeat-books'

/** All that is told of an app: counts since it began, whatever is reset. */
export interface AppTotals {
  readonly mirrors: readonly MirrorTotals[]
  readonly bufferedBytes: number
  /** By thread. */
  readonly loopSeconds: Readonly<Record<string, number>>
}

export interface MirrorTotals {
  readonly id: string
  readonly enabled: boolean
  /** Whether it asks some requests once more. */
  readonly repeats: boolean
  readonly books: MirrorBooks
  readonly backends: readonly BackendTotals[]
  /** Histograms by name, in the order of the backends. `null`: nobody asked for them. */
  readonly endpoints: ReadonlyMap<string, readonly EndpointCounts[]> | null
}

export interface BackendTotals {
  readonly name: string
  readonly breaker: BreakerState
  readonly books: BackendBooks
  readonly latency: LatencyHistograms
}

type Labels = Readonly<Record<string, string | number>>

/** Takes one value. `suffix`: of the name, where a family has several. */
export type Emit = (labels: Labels, value: number, suffix?: string) => void

/** A family of metrics, as Prometheus calls those that have a name in common. */
export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  read (app: AppTotals, emit: Emit): void
}

type Read<T> = (totals: T, emit: Emit) => void

const STATES: readonly BreakerState[] = ['closed', 'open', 'half-open']

/**
 * Everything that Prometheus is told. Names by its rules, and labels that have no more values than the configuration
 * has mirrors and backends. All values can be summed over instances.
 * @see https://prometheus.io/docs/practices/naming/
 */
export const families: readonly Family[] = [
  ofMirrors('counter', 'seen_total', 'Requests that reached the mirror.', ({ books }, emit) => emit({}, books.seen)),
  ofMirrors('counter', 'unsent_total', 'Requests that were not mirrored, by reason.', ({ books }, emit) => {
    const { disabled, filtered, looped, upgraded, unsampled, unhandled } = books
    emitEach('reason', { disabled, filtered, looped, upgraded, unsampled, unhandled }, emit)
  }),
  ofMirrors('counter', 'mirrored_total', 'Requests that were offered to every backend.', ({ books }, emit) => {
    emit({}, books.mirrored)
  }),
  ofMirrors('gauge', 'pending', 'Requests that were chosen and are not sent yet.', ({ books }, emit) => {
    emit({}, books.pending)
  }),
  ofMirrors('gauge', 'enabled', 'Whether the mirror is on, 1 or 0.', ({ enabled }, emit) => emit({}, Number(enabled))),

  ofRepeats('counter', 'repeats_dropped_total', 'Repeats that did not go out, by reason.', ({ dropped }, emit) => {
    emitEach('reason', dropped, emit)
  }),
  ofRepeats('counter', 'repeat_outcomes_total',
    'Repeats that have ended: success, or the reason of the failure.', ({ success, failure }, emit) => {
      emitEach('outcome', { success, ...failure }, emit)
    }),
  ofRepeats('counter', 'repeat_comparisons_total',
    'Repeats by what came of the comparison of two answers of one version.', (books, emit) => {
      const { matched, mismatched, cached, notCompared } = books
      const rest = Object.values(notCompared).reduce((sum, count) => sum + count, 0)
      emitEach('result', { matched, mismatched, cached, not_compared: rest }, emit)
    }),
  ofRepeats('gauge', 'repeats_in_flight', 'Repeats that went out and have not ended.', ({ inFlight }, emit) => {
    emit({}, inFlight)
  }),

  ofBackends('counter', 'backend_unsent_total',
    'Mirrored requests that were not for this backend, by reason.', ({ books }, emit) => {
      emitEach('reason', { disabled: books.disabled, unsampled: books.unsampled }, emit)
    }),
  ofBackends('counter', 'dropped_total', 'Mirrored requests that were not attempted, by reason.', ({ books }, emit) => {
    emitEach('reason', books.dropped, emit)
  }),
  // `total` goes down where the client library refuses a copy. A counter never does.
  ofBackends('counter', 'sent_total',
    'Copies that were sent and have ended, with or without an answer.', ({ books }, emit) => {
      emit({}, books.total - books.inFlight)
    }),
  ofBackends('counter', 'outcomes_total',
    'Copies that have ended: success, or the reason of the failure.', ({ books }, emit) => {
      emitEach('outcome', { success: books.success, ...books.failure }, emit)
    }),
  ofBackends('counter', 'answers_total', 'Complete answers by status class.', ({ books }, emit) => {
    emitEach('status', books.status, emit)
  }),
  ofBackends('counter', 'comparisons_total', 'Answers compared with the primary\'s, by result.', ({ books }, emit) => {
    emitEach('result', { matched: books.matched, mismatched: books.mismatched }, emit)
  }),
  ofBackends('counter', 'not_compared_total',
    'Complete answers that were not compared, by reason.', ({ books }, emit) => {
      emitEach('reason', books.notCompared, emit)
    }),
  ofBackends('counter', 'mismatches_total',
    'Mismatches by what differed; one can count in several.', ({ books }, emit) => {
      emitEach('part', books.mismatches, emit)
    }),
  ofBackends('gauge', 'in_flight', 'Copies that were attempted and have not ended.', ({ books }, emit) => {
    emit({}, books.inFlight)
  }),
  ofBackends('gauge', 'breaker_state', 'Whether the breaker is in this state, 1 or 0.', ({ breaker }, emit) => {
    for (const state of STATES) emit({ state }, Number(state === breaker))
  }),
  ofLatency('shadow', 'latency_seconds', 'Time of the shadow, from dispatch on a connection to the end of its answer.'),
  ofLatency('primary', 'primary_latency_seconds', 'Time of the primary, on requests that were compared.'),
  ofLatency('difference', 'latency_difference_seconds',
    'Shadow minus primary, request by request; negative where the shadow is faster.'),

  family('gauge', 'buffered_bytes', 'Bytes held in memory for mirrors.', ({ bufferedBytes }, emit) => {
    emit({}, bufferedBytes)
  }),
  family('counter', 'event_loop_seconds_total', 'Time for which an event loop ran mirroring; ' +
    'on the main thread an estimate of its own code and its connections\'.', ({ loopSeconds }, emit) => {
    emitEach('thread', loopSeconds, emit)
  })
]

/** Only told on request: it has as many values as clients make endpoints. */
const ENDPOINT_HELP = 'What came of mirrored requests, by endpoint.'
export const endpointFamily: Family = ofMirrors(
  'counter', 'endpoint_outcomes_total', ENDPOINT_HELP, ({ backends, endpoints }, emit) => {
    for (const [endpoint, counts] of endpoints ?? []) {
      for (const [index, { name }] of backends.entries()) {
        const { leftOut, ...rest } = counts[index]
        emitEach('outcome', { ...rest, left_out: leftOut }, (labels, value) => {
          emit({ backend: name, endpoint, ...labels }, value)
        })
      }
    }
  }
)

function family (type: Family['type'], name: string, help: string, read: Read<AppTotals>): Family {
  return { name: `fastify_mirror_${name}`, type, help, read }
}

function ofMirrors (type: Family['type'], name: string, help: string, read: Read<MirrorTotals>): Family {
  return family(type, name, help, ({ mirrors }, emit) => {
    for (const mirror of mirrors) {
      read(mirror, (labels, value, suffix) => emit({ mirror: mirror.id, ...labels }, value, suffix))
    }
  })
}

/** Of mirrors that ask some requests once more. */
function ofRepeats (type: Family['type'], name: string, help: string, read: Read<RepeatBooks>): Family {
  return ofMirrors(type, name, help, ({ repeats, books }, emit) => {
    if (repeats) read(books.repeats, emit)
  })
}

function ofBackends (type: Family['type'], name: string, help: string, read: Read<BackendTotals>): Family {
  return ofMirrors(type, name, help, ({ backends }, emit) => {
    for (const backend of backends) {
      read(backend, (labels, value, suffix) => emit({ backend: backend.name, ...labels }, value, suffix))
    }
  })
}

function ofLatency (of: keyof LatencyHistograms, name: string, help: string): Family {
  return ofBackends('histogram', name, help, ({ latency }, emit) => emitHistogram(latency[of], emit))
}

function emitEach (label: string, counts: Readonly<Record<string, number>>, emit: Emit): void {
  for (const [value, count] of Object.entries(counts)) emit({ [label]: value }, count)
}

/** Each bucket counts the smaller ones, too. */
function emitHistogram ({ bounds, counts, sum }: Histogram, emit: Emit): void {
  let count = 0
  for (let bucket = 0; bucket < bounds.length; bucket++) {
    count += counts[bucket]
    emit({ le: bounds[bucket] }, count, '_bucket')
  }
  count += counts[bounds.length]
  emit({ le: '+Inf' }, count, '_bucket')
  emit({}, sum, '_sum')
  emit({}, count, '_count')
}
