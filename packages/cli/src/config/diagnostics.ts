import { AppError } from '@qmtcode/protocol'
import { showPath } from './paths.ts'
import type { KeyPath } from './paths.ts'

export type Severity = 'error' | 'warning' | 'notice'

/** One thing to say about a configuration. `line` and `column` count from 1; absent: it is about the whole file, or a flag. */
export interface Diagnostic {
  severity: Severity
  /** As the user would name it; absent for flags. */
  file?: string
  line?: number
  column?: number
  /** Dotted key; empty for the file. */
  path: string
  message: string
}

/** A diagnostic before its place is known. */
export interface Finding {
  severity: Severity
  path: KeyPath
  /** Whether it is about the key or about its value. */
  at: 'key' | 'value'
  message: string
}

export const finding = (severity: Severity, path: KeyPath, message: string, at: Finding['at'] = 'value'): Finding => ({
  severity,
  path,
  message,
  at,
})

export interface Places {
  keyOf(path: KeyPath): { line: number; column: number }
  valueOf(path: KeyPath): { line: number; column: number }
}

/** In the order of the file. */
export function placed(findings: readonly Finding[], file: string, places: Places): Diagnostic[] {
  return findings
    .map(({ severity, path, message, at }) => {
      const { line, column } = at === 'key' ? places.keyOf(path) : places.valueOf(path)
      return { severity, file, line, column, path: showPath(path), message }
    })
    .sort((a, b) => a.line - b.line || a.column - b.column)
}

/** `file:line:column: path: message`; a warning says so before the path. */
export function formatDiagnostic({ severity, file, line, column, path, message }: Diagnostic): string {
  const place = file === undefined ? '' : line === undefined ? `${file}: ` : `${file}:${line}:${column}: `
  return `${place}${severity === 'warning' ? 'warning: ' : ''}${path === '' ? '' : `${path}: `}${message}`
}

const formatDiagnostics = (diagnostics: readonly Diagnostic[]): string => diagnostics.map(formatDiagnostic).join('\n')

export const countOf = (severity: Severity, diagnostics: readonly Diagnostic[]): number =>
  diagnostics.filter((diagnostic) => diagnostic.severity === severity).length

/** One JSON document of `qmtcode config check --json`. */
export function diagnosticsJson(file: string | undefined, diagnostics: readonly Diagnostic[]): object {
  const errors = countOf('error', diagnostics)
  return { file: file ?? null, ok: errors === 0, errors, warnings: countOf('warning', diagnostics), diagnostics }
}

export const CONFIG_HINT = 'every key: docs/configuration.md, or qmtcode config schema'

/** All errors in one, bad_config; undefined where there is none. */
export function configError(diagnostics: readonly Diagnostic[]): AppError | undefined {
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  if (errors.length === 0) return undefined
  return new AppError('bad_config', formatDiagnostics(errors), { hint: CONFIG_HINT })
}
