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

/** A copy's part of the upload: how far its backend has come, and how much is held for it. */
export class CopyUpload implements BodySender {
  readonly copy: UploadingCopy
  readonly #owner: BodyOwner
  readonly #share: Share
  readonly #maxBacklogBytes: number
  #body: CopyBody | null = null
  /** Bytes of the request body that are held for the backend. */
  #held = 0
  /** At the last look: bytes of the request body that had not been given to the connection, and those that had. */
  #behind = 0
  #given = 0
  /** Bytes by which the backend has fallen behind since its connection stood, of itself. */
  #slowBy = 0

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
    this.#behind = this.#owner.backlog.received
  }

  /**
   * Whether the backend takes the request body more slowly than the client sends it: it has fallen behind by
   * `maxBacklogBytes` since its connection stood. To be asked at the end of a turn of the event loop in which more of
   * the body has come.
   *
   * What comes while the connection takes what it is given is no fault of the backend. TLS takes a piece in a turn,
   * however much came in it, and a loop that is busy has few turns. Only a piece that the connection had at the last
   * look, and has still not taken, is one for which the backend had no room: between two looks all connections have
   * been asked.
   */
  fellBehind (received: number): boolean {
    if (!this.copy.running || this.#body === null) return false
    const { given } = this.#body
    const grown = received - given - this.#behind
    if (given === this.#given || grown < 0) this.#slowBy = Math.max(0, this.#slowBy + grown)
    this.#behind += grown
    this.#given = given
    return this.#slowBy > this.#maxBacklogBytes
  }

  /** The request body has more bytes, or has ended. */
  wake (): void {
    this.#body?.wake()
  }

  /** Lets go of all that is held for the copy. Only for one that has let go of its connection. */
  end (): void {
    this.#letGo(this.#held)
    this.#body?.close()
  }

  fail (error: unknown): void {
    this.copy.fail(error)
  }
}
