import { checkAgentIds, checkMcpRefs, checkModels, checkPeerRefs, checkTools } from './checks/agents.ts'
import { checkDiscovery, checkPeers, checkSharedModels } from './checks/mesh.ts'
import { checkMcp, checkProviders, checkTls } from './checks/node.ts'
import { viewOf } from './checks/view.ts'
import { finding, placed } from './diagnostics.ts'
import type { Diagnostic, Finding } from './diagnostics.ts'
import { interpolate } from './environment.ts'
import type { Environment } from './environment.ts'
import { describeIssue } from './issues.ts'
import { notBuiltYet } from './not-built.ts'
import { pathKey, writtenPaths } from './paths.ts'
import { fileSchema } from './schema/root.ts'
import type { FileConfig } from './schema/root.ts'
import { placesIn, readToml } from './toml.ts'

export interface ReadOptions {
  /** What diagnostics call the file. */
  file: string
  env: Environment
}

/** Everything there is to say about a file, errors or not; `value` only without an error. */
export function readConfig(text: string, { file, env }: ReadOptions): { value?: FileConfig; diagnostics: Diagnostic[] } {
  const toml = text.replace(/^\uFEFF/, '')
  const reading = readToml(toml)
  if (!reading.ok) {
    const { line, column, message } = reading
    return { diagnostics: [{ severity: 'error', file, line, column, path: '', message }] }
  }
  const { data, missing, substituted } = interpolate(reading.data, env)
  const written = { data: reading.data, substituted }
  const unset = missing.map(({ path, name }) => missingVariable(path, name))
  const parsed = fileSchema.safeParse(data)
  const issues = (parsed.error?.issues ?? []).flatMap((issue) => describeIssue(issue, written))
  const view = viewOf(data, reading.data)
  const crossed = CHECKS.flatMap((check) => check(view))
  const findings = [...unset, ...withoutRepeats([...datesIn(data), ...issues, ...crossed, ...notBuiltYet(data, reading.data)], unset)]
  const failed = findings.some(({ severity }) => severity === 'error')
  return { value: failed ? undefined : parsed.data, diagnostics: findings.length === 0 ? [] : placed(findings, file, placesIn(toml)) }
}

const CHECKS = [
  checkPeers,
  checkDiscovery,
  checkSharedModels,
  checkAgentIds,
  checkModels,
  checkPeerRefs,
  checkMcpRefs,
  checkTools,
  checkProviders,
  checkMcp,
  checkTls,
]

const missingVariable = (path: Finding['path'], name: string): Finding =>
  finding('error', path, `environment variable ${name} is not set (a default: \${${name}:-…})`)

/** TOML has dates; no key takes one, and an object schema would. */
function datesIn(data: unknown): Finding[] {
  return Array.from(writtenPaths(data))
    .filter(({ value }) => value instanceof Date)
    .map(({ path }) => finding('error', path, 'no key takes a date: put the text in quotes'))
}

/** The first error at a place speaks for the others: a value that is missing or of the wrong form fails every later check too. */
function withoutRepeats(findings: readonly Finding[], told: readonly Finding[]): Finding[] {
  const failed = new Set(told.map(({ path }) => pathKey(path)))
  return findings.filter(({ path, severity }) => {
    const key = pathKey(path)
    const isNew = !failed.has(key)
    if (severity === 'error') failed.add(key)
    return isNew
  })
}
