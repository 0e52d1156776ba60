import { setTimeout as delay } from 'node:timers/promises'
import { AppError, isAppError, toAppError } from '@qmtcode/protocol'
import type { Diagnosis, MeshStatus, PeerDiagnosis, Peers, SelfDiagnosis } from '@qmtcode/protocol'
import { command, problem } from '../doctor/check.ts'
import type { Check } from '../doctor/check.ts'
import { connectionChecks } from '../doctor/connection.ts'
import { findingChecks } from '../doctor/finding.ts'
import { isNatPending, natChecks } from '../doctor/nat.ts'
import { reportLines } from '../doctor/render.ts'
import { exitCodeFor, reportJson } from '../doctor/report.ts'
import type { DoctorReport, PeerReport } from '../doctor/report.ts'
import { configChecks, noMesh, runningCheck, selfChecks, tooOld } from '../doctor/self.ts'
import { speedChecks } from '../doctor/speed.ts'
import { usingChecks } from '../doctor/using.ts'
import type { SessionsSeen } from '../doctor/using.ts'
import type { ConfigReport, NodeHandle } from '../node-handle.ts'
import { jsonLine } from '../output/printable.ts'
import { withNode } from './context.ts'
import type { CommandContext } from './context.ts'

/** For all of it: whatever has not answered by then is said to hang. */
const WHOLE_MS = 30_000
/** A node that begins for this look asks relays and router first. */
const NAT_MS = 6_000
const NAT_POLL_MS = 200
const SESSIONS_MS = 3_000
const SESSIONS_LISTED = 100

/** Looks at this node, and at one peer closely or at every configured one. 0: nothing worse than warnings. */
export async function doctor(context: CommandContext, { target, json }: { target?: string; json: boolean }): Promise<number> {
  const late = Promise.withResolvers<typeof LATE>()
  const timer = setTimeout(() => late.resolve(LATE), WHOLE_MS)
  const report = await examine(context, { target, late: late.promise }).finally(() => clearTimeout(timer))
  if (json) context.out.line(jsonLine(reportJson(report), 2))
  else {
    const { out, outStyle } = context
    for (const line of reportLines(report, { width: out.width, style: outStyle, whole: target !== undefined })) out.line(line)
  }
  return exitCodeFor(report, { target: target !== undefined })
}

const LATE = Symbol('late')

interface Asking {
  target?: string
  /** Resolves when the time is over. */
  late: Promise<typeof LATE>
}

async function examine(context: CommandContext, { target, late }: Asking): Promise<DoctorReport> {
  const checks = configChecks(await readConfig(context))
  if (checks.some(({ status }) => status === 'problem')) return { self: { name: 'this node', checks }, peers: [] }
  return await withNode(context, { withMesh: 'either' }, async (node) => {
    const status = await inTime(node.status(), late)
    const begun = [...checks, runningCheck(status, process.pid)]
    const { diagnosis, peers } = node
    if (!diagnosis || !peers) return { self: { name: status.node, checks: [...begun, noMesh(status.pid)] }, peers: [] }
    const facts = await inTime(ask(diagnosis), late)
    if (!facts) return { self: { name: status.node, checks: [...begun, tooOld(status.pid)] }, peers: [] }
    const known = await knownNames(facts, peers)
    const wanted = target === undefined ? known : [target]
    const asked = { diagnosis, peers, self: facts, brief: target === undefined }
    const looked = await Promise.all(
      wanted.map(async (name) => {
        const found = await Promise.race([lookAt(name, asked), late])
        return found === LATE ? unfinished(name) : found
      }),
    )
    const settled = await Promise.race([natOf(peers, status.pid === process.pid ? NAT_MS : 0), late])
    const nat = settled === LATE ? undefined : settled
    const peerFacts = looked.flatMap((peer) => peer.facts ?? [])
    const selfReport = [...begun, ...selfChecks({ ...facts, configured: known }), ...natChecks(facts, nat, peerFacts)]
    return { self: { name: status.node, checks: selfReport, facts, nat }, peers: looked }
  })
}

const MAX_KNOWN = 10

/** The configured peers; where there are none, those that prompts may go to, of a node that joined a mesh. */
async function knownNames({ configured }: SelfDiagnosis, peers: Peers): Promise<string[]> {
  if (configured.length > 0) return configured
  const used = (await peers.list()).filter(({ self, trust, use, heard }) => !self && trust === 'admitted' && use && heard === undefined)
  return used.slice(0, MAX_KNOWN).map(({ name }) => name)
}

/** Throws timeout where the node itself does not answer. */
async function inTime<Value>(answer: Promise<Value>, late: Asking['late']): Promise<Value> {
  const first = await Promise.race([answer, late])
  if (first !== LATE) return first
  throw new AppError('timeout', 'the qmtcode that runs here did not answer within 30 s', { hint: 'stop it, and try again' })
}

const unfinished = (name: string): PeerReport => ({
  name,
  checks: [problem('Connection', 'time', 'the look at it did not end within 30 s', [command(`qmtcode doctor ${name}`)])],
})

async function natOf(peers: Peers, withinMs: number): Promise<MeshStatus['nat']> {
  const end = performance.now() + withinMs
  for (;;) {
    const { nat } = await peers.status()
    if (!nat || !isNatPending(nat) || performance.now() >= end) return nat
    await delay(NAT_POLL_MS)
  }
}

/** A configuration that cannot be read is its own finding. */
async function readConfig({ components, globals }: CommandContext): Promise<ConfigReport> {
  try {
    return await components.checkConfig({ configPath: globals.configPath })
  } catch (error) {
    if (!isAppError(error, 'bad_config')) throw error
    return { diagnostics: [{ severity: 'error', path: '', message: error.message }] }
  }
}

/** Undefined: the node that runs knows no such question. */
async function ask(diagnosis: Diagnosis): Promise<SelfDiagnosis | undefined> {
  try {
    return await diagnosis.self()
  } catch (error) {
    if (isAppError(error, 'unsupported', 'not_found')) return undefined
    throw error
  }
}

interface Asked {
  diagnosis: Diagnosis
  peers: NonNullable<NodeHandle['peers']>
  self: SelfDiagnosis
  brief: boolean
}

async function lookAt(name: string, { diagnosis, peers, self, brief }: Asked): Promise<PeerReport> {
  const facts = await diagnosis.peer(name, { brief })
  const sessions = await sessionsOf(facts, peers)
  const checks: Check[] = [
    ...connectionChecks(facts, self),
    ...speedChecks(facts),
    ...findingChecks(facts, self),
    ...usingChecks(facts, self, sessions),
  ]
  return { name: facts.name, checks, facts }
}

async function sessionsOf({ peerId, here, hello, link }: PeerDiagnosis, peers: Peers): Promise<SessionsSeen | undefined> {
  if (peerId === undefined || !here?.use || link.state !== 'up' || !hello?.services.includes('sessions')) return undefined
  const late = Promise.withResolvers<SessionsSeen>()
  const timer = setTimeout(() => late.resolve({ problem: 'no answer in time' }), SESSIONS_MS)
  const listed = peers
    .sessions(peerId)
    .list({ limit: SESSIONS_LISTED })
    .then(
      ({ items, cursor }): SessionsSeen => ({ count: items.length, more: cursor !== undefined }),
      (error: unknown): SessionsSeen => ({ problem: toAppError(error).message }),
    )
  return await Promise.race([listed, late.promise]).finally(() => clearTimeout(timer))
}
