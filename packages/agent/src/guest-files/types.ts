/** A file, or all below a directory, that words of other nodes had a part in, and that this node's person has not taken for theirs. */
export interface UnseenFile {
  /** Absolute and real. */
  path: string
  /** All below it, too. */
  isWhole: boolean
  /** Who wrote it, for the person who is asked. */
  by: string
  /** Another one after each write. */
  id: number
  /** When it may have been written first, and last, since the person's last yes: milliseconds since 1970. */
  since: number
  last: number
  /** A command that may write there has not ended. */
  isRunning?: boolean
}

export interface GuestWrite {
  by: string
  /** Absolute and real: where a command runs. */
  root: string
  /** The one file that is written, absolute and real. Absent: a command, which may write anything in `root`. */
  path?: string
}

export interface BegunWrite {
  /** Of what is unseen because of it, as long as a command runs. */
  id: number
  /** To be called once it has ended, or failed. */
  ended(end: { isError: boolean }): Promise<void>
}

/** A span of time: milliseconds since 1970. */
export interface Span {
  from: number
  to: number
}

/** What a session can have got of this node's files. */
export interface Reach {
  covers(file: Pick<UnseenFile, 'path' | 'isWhole'>): boolean
  /** When it may have got something of them. */
  spans: readonly Span[]
}

interface SeenOfGuests {
  /** What lies within reach now. */
  unseen: UnseenFile[]
  /** It may have got what nobody can take for theirs any more: a text that was written over before the person said yes. */
  hasLost: boolean
}

/** The words of others that a turn has, or can get. */
export interface FoundWords {
  /** They are in what the model reads. */
  isInContext: boolean
  /** They had a part in these files, which lie within reach. */
  unseen: readonly UnseenFile[]
}

/**
 * What turns with words of other nodes wrote, on disk in QMT_HOME: it is written down before they write, so that neither a crash nor a restart
 * forgets it. It ends only with the person's yes: a file that is renamed, copied or changed meanwhile is still among it.
 */
export interface GuestFiles {
  /** To be called before. */
  writing(write: GuestWrite): Promise<BegunWrite>
  /** `reach` is asked for only where there is something. */
  look(reach: () => Promise<Reach>): Promise<SeenOfGuests>
  /** The person takes these for theirs, as they were shown: not what was written since, nor what a running command may write. */
  approve(files: readonly UnseenFile[]): Promise<void>
}
