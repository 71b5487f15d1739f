const MIB = 1024 * 1024

/** How long is looked at what. Times in seconds. */
export interface Effort {
  /** Left out unless asked for by name. */
  without: readonly string[]
  /** At most so many rounds of samples of at most this length. */
  rounds: number
  sample: number
  /**
   * Full load on each gateway before its first sample, twice: alike in requests, so that none has run hotter than
   * another.
   */
  warmUp: { requests: number, atMost: number }
  /** Load in front of each sample, and rest behind it. */
  runIn: number
  rest: number
  /** `runIn` and `sample` together: long enough for copies to run into their timeout. */
  trouble: { rounds: number, runIn: number, sample: number }
  streams: { rounds: number, bytes: number }
  hung: { rounds: number, sample: number }
  /** For each hot function. */
  micro: number
}

/** For figures that are quoted: about an hour and a half. */
export const full: Effort = {
  without: [],
  rounds: 5,
  sample: 1,
  warmUp: { requests: 20_000, atMost: 4 },
  runIn: 0.5,
  rest: 0.1,
  trouble: { rounds: 3, runIn: 1.5, sample: 5 },
  streams: { rounds: 3, bytes: 1024 * MIB },
  hung: { rounds: 3, sample: 60 },
  micro: 0.5
}

/** For a look: about two minutes. */
export const quick: Effort = {
  without: ['diff', 'large', 'connections'],
  rounds: 2,
  sample: 0.25,
  warmUp: { requests: 6_000, atMost: 1.5 },
  runIn: 0.1,
  rest: 0.05,
  trouble: { rounds: 1, runIn: 0.7, sample: 0.7 },
  streams: { rounds: 1, bytes: 128 * MIB },
  hung: { rounds: 1, sample: 2 },
  micro: 0.05
}
