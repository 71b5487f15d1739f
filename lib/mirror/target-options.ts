import type { DiffOptions } from '../compare/answers'
import type { TargetOptions } from '../engine/types'
import type { EndConfig, MirrorConfig } from '../options/config'

/** How a mirror sends to one end, and compares what it answers. */
export function targetOptions ({ origin, connect }: EndConfig, mirror: MirrorConfig): TargetOptions {
  return {
    origin,
    connect,
    timeout: mirror.timeout,
    bodyTimeout: mirror.bodyTimeout,
    maxBacklogBytes: mirror.maxBacklogBytes,
    diff: diffOptions(mirror),
    maxCoded: mirror.compare.maxBodyCapture
  }
}

/** `null`: bodies are not looked into. */
export function diffOptions ({ compare, noise }: MirrorConfig): DiffOptions | null {
  if (!compare.detailedDiff) return null
  const { maxBodyCapture, ignoreHeaders, ignoreJsonFields, redact, rules, origins } = compare
  return { maxBodyCapture, ignoreHeaders, ignoreJsonFields, redact, rules, origins, shapes: noise !== null }
}
