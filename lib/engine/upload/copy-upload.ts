import type { Guard, Holder } from '../../guard'
import type { Share } from '../budget'
import type { FailureReason } from '../../../types/index'
import type { Backlog } from './backlog'
import { CopyBody } from './copy-body'
import type { BodySender } from './copy-body'

/** Whose body it is: the request's, for all its copies. */
export interface BodyOwner {
  readonly backlog: Backlog
  /** A backend has taken more of it. */
  advanced (): void
}

/** A copy with a body. */
export interface UploadingCopy extends Holder {
  readonly guard: Guard
  readonly ended: boolean
  /** It goes on: it has neither ended nor been aborted. */
  readonly goesOn: boolean
  /** Its request is on a connection. */
  readonly running: boolean
  /** Its connection has nothing left to write. */
  readonly flushed: boolean
  abort (reason: FailureReason, error: Error): void
  /** The client has sent the last of the body. */
  onBodyEnd (): void
}

/** One copy's part of the upload: how far its backend has come, and how much is held for it. */
export class CopyUpload implements BodySender {
  readonly copy: UploadingCopy
  readonly #owner: BodyOwner
  readonly #share: Share
  readonly #maxBacklogBytes: number
  #body: CopyBody | null = null
  /** Bytes of the request body that are held for the backend. */
  #held = 0
  /**
   * Bytes by which the backend may lag without being slow: what waited for its connection, as far as it has not caught
   * up.
   */
  #excused = 0

  constructor (copy: UploadingCopy, owner: BodyOwner, share: Share, maxBacklogBytes: number) {
    this.copy = copy
    this.#owner = owner
    this.#share = share
    this.#maxBacklogBytes = maxBacklogBytes
  }

  get guard (): Guard {
    return this.copy.guard
  }

  get mirrorId (): string | undefined {
    return this.copy.mirrorId
  }

  get flushed (): boolean {
    return this.copy.flushed
  }

  /** The client has sent all of the body. */
  get complete (): boolean {
    return this.#owner.backlog.ended
  }

  /** Bytes of the request body that are the backend's. */
  get sent (): number {
    return this.#body === null ? 0 : this.#body.offset
  }

  /** Bytes of the request body that have left the process, as far as is known. */
  get sentAndFlushed (): number {
    return this.#body === null ? 0 : this.#body.flushed
  }

  advanced (): void {
    const rest = this.#owner.backlog.received - this.sent
    if (rest < this.#held) this.#letGo(this.#held - rest)
    this.#owner.advanced()
  }

  /** More of the request body is kept until the backend has it. `false`: it holds as much as it may. */
  hold (bytes: number): boolean {
    if (!this.copy.goesOn) return true
    if (!this.#share.hold(bytes)) return false
    this.#held += bytes
    return true
  }

  #letGo (bytes: number): void {
    this.#share.letGo(bytes)
    this.#held -= bytes
  }

  /** The body for the client library; `null`: it turned out to be empty. */
  toSend (): Buffer | CopyBody | null {
    const { backlog } = this.#owner
    if (backlog.ended) {
      if (backlog.received === 0) return null
      const whole = backlog.read(0)
      if (whole !== null && whole.length === backlog.received) return whole
    }
    this.#body = new CopyBody(backlog, this)
    return this.#body
  }

  /** The connection stands: what has waited for it is no fault of the backend's. */
  onStart (): void {
    this.#excused = this.#owner.backlog.received
  }

  /**
   * Whether the backend takes the request body more slowly than the client sends it: it has fallen behind by
   * `maxBacklogBytes` since its connection stood. What it is being given now is on its way.
   */
  fellBehind (received: number): boolean {
    if (!this.copy.running || this.#body === null) return false
    const behind = received - this.#body.given
    if (behind < this.#excused) this.#excused = behind
    return behind - this.#excused > this.#maxBacklogBytes
  }

  /** The request body has more bytes, or has ended. */
  wake (): void {
    this.#body?.wake()
  }

  /** Nothing is held for the copy any more. Only for one that has let go of its connection. */
  end (): void {
    this.#letGo(this.#held)
    this.#body?.close()
  }

  fail (error: unknown): void {
    this.copy.fail(error)
  }
}
