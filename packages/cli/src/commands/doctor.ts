import { isAppError, toAppError } from '@qmtcode/protocol'
import type { Diagnosis, PeerDiagnosis, Peers, SelfDiagnosis } from '@qmtcode/protocol'
import type { Check } from '../doctor/check.ts'
import { connectionChecks } from '../doctor/connection.ts'
import { findingChecks } from '../doctor/finding.ts'
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

const SESSIONS_MS = 3_000
const SESSIONS_LISTED = 100

/** Looks at this node, and at one peer closely or at every configured one. 0: nothing worse than warnings. */
export async function doctor(context: CommandContext, { target, json }: { target?: string; json: boolean }): Promise<number> {
  const report = await examine(context, target)
  if (json) context.out.line(jsonLine(reportJson(report), 2))
  else {
    const { out, outStyle } = context
    for (const line of reportLines(report, { width: out.width, style: outStyle, whole: target !== undefined })) out.line(line)
  }
  return exitCodeFor(report, { target: target !== undefined })
}

async function examine(context: CommandContext, target: string | undefined): Promise<DoctorReport> {
  const checks = configChecks(await readConfig(context))
  if (checks.some(({ status }) => status === 'problem')) return { self: { name: 'this node', checks }, peers: [] }
  return await withNode(context, { withMesh: true }, async (node) => {
    const status = await node.status()
    const begun = [...checks, runningCheck(status, process.pid)]
    const { diagnosis, peers } = node
    if (!diagnosis || !peers) return { self: { name: status.node, checks: [...begun, noMesh(status.pid)] }, peers: [] }
    const facts = await ask(diagnosis)
    if (!facts) return { self: { name: status.node, checks: [...begun, tooOld(status.pid)] }, peers: [] }
    const self = { name: status.node, checks: [...begun, ...selfChecks(facts)], facts }
    const wanted = target === undefined ? facts.configured : [target]
    const looked = await Promise.all(wanted.map((name) => lookAt(name, { diagnosis, peers, self: facts }, target === undefined)))
    return { self, peers: looked }
  })
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
}

async function lookAt(name: string, { diagnosis, peers, self }: Asked, brief: boolean): Promise<PeerReport> {
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
