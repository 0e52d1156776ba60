import type { Ed25519PrivateKey } from '@libp2p/interface'
import { createBell } from '@qmtcode/protocol'
import type { Load, Logger, PeerId } from '@qmtcode/protocol'
import type { NodeAdvert } from '../node-types.ts'
import type { DirectoryItem, SignedRecord } from './contract.ts'
import { nodeRecordSchema, signRecord } from './record.ts'
import type { NodeRecord } from './record.ts'

/** What this node tells of itself, and those who follow it. */
export interface OwnRecord {
  advertise(advert: NodeAdvert): void
  setLoad(load: Load): void
  readonly advert: NodeAdvert
  readonly load: Load
  /** As members are told it. */
  record(): NodeRecord
  /** Called when the advert changed. */
  onAdvert(listener: () => void): void
  /** Somebody's role changed: what is shown to followers is looked at again. */
  wake(): void
  /** `showsModels` is asked at each record: an observer learns no models. */
  follow(showsModels: () => boolean, signal: AbortSignal): AsyncIterable<DirectoryItem>
  stop(): void
}

export interface OwnRecordComponents {
  log: Logger
  key: Ed25519PrivateKey
  addresses(): string[]
}
export interface OwnRecordOptions {
  peerId: PeerId
  name: string
  software: string
  /** Counts starts of this node, from `known_peers.json`. */
  starts: number
  loadMs: number
}

const RECORDS_PER_START = 1_000_000_000

export function createOwnRecord(components: OwnRecordComponents, options: OwnRecordOptions): OwnRecord {
  const bell = createBell()
  let advert: NodeAdvert = { models: [], agents: [], labels: [], sessions: 0 }
  let load: Load = { inFlight: 0, slots: 0, queued: 0 }
  let recordNumber = 1
  let loadNumber = 0
  let loadTimer: NodeJS.Timeout | undefined
  const listeners: (() => void)[] = []
  let signed: { recordNumber: number; full: Promise<SignedRecord>; short: Promise<SignedRecord> } | undefined

  const recordNow = (): NodeRecord => ({
    peerId: options.peerId,
    version: options.starts * RECORDS_PER_START + recordNumber,
    name: options.name,
    software: options.software,
    ...advert,
    addresses: components.addresses().slice(0, 32),
  })
  function signedNow(): { full: Promise<SignedRecord>; short: Promise<SignedRecord> } {
    if (signed?.recordNumber !== recordNumber) {
      const record = recordNow()
      const full = signRecord(record, components.key)
      const short = signRecord({ ...record, models: [] }, components.key)
      // Whoever asks for one gets its failure; the other may never be asked for.
      for (const made of [full, short]) made.catch(() => undefined)
      signed = { recordNumber, full, short }
    }
    return signed
  }
  async function* follow(showsModels: () => boolean, signal: AbortSignal): AsyncGenerator<DirectoryItem> {
    let toldRecord = 0
    let toldLoad = 0
    let toldModels = false
    while (!signal.aborted) {
      const models = showsModels()
      if (toldRecord !== recordNumber || toldModels !== models) {
        toldRecord = recordNumber
        toldModels = models
        yield await (models ? signedNow().full : signedNow().short)
      } else if (toldLoad !== loadNumber) {
        toldLoad = loadNumber
        yield { type: 'load', load }
      } else await bell.heard({ signal })
    }
  }

  return {
    get advert() {
      return advert
    },
    get load() {
      return load
    },
    advertise(next) {
      const fitting = fit(next, options)
      if (fitting.models.length < next.models.length)
        components.log.warn('not all models are told to peers', { told: fitting.models.length })
      advert = fitting
      recordNumber += 1
      bell.ring()
      for (const listener of listeners) listener()
    },
    record: recordNow,
    onAdvert: (listener) => listeners.push(listener),
    setLoad(next) {
      load = next
      loadTimer ??= setTimeout(() => {
        loadTimer = undefined
        loadNumber += 1
        bell.ring()
      }, options.loadMs)
    },
    follow,
    wake: bell.ring,
    stop: () => clearTimeout(loadTimer),
  }
}

const ADVERT_BYTES = 52_000 // of LIMITS.recordBytes; the rest is for addresses and the frame

/** The largest beginning of the model list with which the record keeps its bounds; everything else is bounded by the configuration. */
function fit(advert: NodeAdvert, options: { peerId: PeerId; name: string; software: string }): NodeAdvert {
  const base = { ...advert, agents: advert.agents.slice(0, 200), labels: advert.labels.slice(0, 50), models: advert.models.slice(0, 1_000) }
  for (let { models } = base; ; models = models.slice(0, Math.floor(models.length * 0.9))) {
    const fitting = { ...base, models }
    const isValid = nodeRecordSchema.safeParse({ ...options, version: 0, addresses: [], ...fitting }).success
    if (models.length === 0) return isValid ? fitting : { ...fitting, agents: [], labels: [] }
    if (isValid && Buffer.byteLength(JSON.stringify(fitting)) <= ADVERT_BYTES) return fitting
  }
}
