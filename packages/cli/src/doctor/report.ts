import type { MeshStatus, PeerDiagnosis, PeerInfo, SelfDiagnosis } from '@qmtcode/protocol'
import { worst } from './check.ts'
import type { Check, Verdict } from './check.ts'

/** All that was looked at. */
export interface DoctorReport {
  self: { name: string; checks: Check[]; facts?: SelfDiagnosis; nat?: MeshStatus['nat'] }
  /** The one that was asked for, or every configured one. */
  peers: PeerReport[]
}

export interface PeerReport {
  name: string
  checks: Check[]
  facts?: PeerDiagnosis
  info?: PeerInfo
}

export const verdictOf = ({ self, peers }: DoctorReport): Verdict => worst([...self.checks, ...peers.flatMap(({ checks }) => checks)])

const EXIT = { ok: 0, problem: 1, config: 2, unreachable: 3, refused: 4 } as const

/** `target`: one peer was asked for, so that what is wrong with it decides. */
export function exitCodeFor(report: DoctorReport, { target }: { target: boolean }): number {
  if (report.self.checks.some(({ id, status }) => id === 'configuration' && status === 'problem')) return EXIT.config
  if (verdictOf(report) !== 'problem') return EXIT.ok
  const facts = target ? report.peers[0]?.facts : undefined
  if (!facts) return EXIT.problem
  if (facts.here?.trust === 'banned' || facts.greeting?.code === 'not_admitted' || isUnknownThere(facts)) return EXIT.refused
  const isReached = facts.link.state !== 'none' || facts.dials.some(({ outcome }) => outcome === 'answered' || outcome === 'self')
  return isReached ? EXIT.problem : EXIT.unreachable
}

const isUnknownThere = ({ hello }: PeerDiagnosis): boolean => hello?.state === 'unknown' && hello.role === undefined

/** The one document of `--json`. */
export function reportJson(report: DoctorReport): object {
  return {
    verdict: verdictOf(report),
    self: {
      name: report.self.name,
      verdict: worst(report.self.checks),
      checks: report.self.checks,
      facts: report.self.facts ?? null,
      nat: report.self.nat ?? null,
    },
    peers: report.peers.map(({ name, checks, facts }) => ({ name, verdict: worst(checks), checks, facts: facts ?? null })),
  }
}
