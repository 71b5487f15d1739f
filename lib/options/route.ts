/** The route that options are read for: its name in messages, and its mirror's default id. */
export interface OptionsRoute {
  readonly method: string | string[]
  readonly url: string
}
