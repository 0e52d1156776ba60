/** An agent of another maker, as its user configures it. */
export interface ForeignAgent {
  id: string
  /** A program that speaks the Agent Client Protocol on stdio, and its arguments. */
  command: readonly string[]
  /** How long it may say nothing while a prompt runs. Time that a person thinks does not count. */
  idleMs: number
}
