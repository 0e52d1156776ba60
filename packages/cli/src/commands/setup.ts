import { isAppError } from '@qmtcode/protocol'
import { CONFIG_HINT, countOf, diagnosticsJson, formatDiagnostic } from '../config/diagnostics.ts'
import type { Diagnostic } from '../config/diagnostics.ts'
import type { ConfigReport } from '../node-handle.ts'
import { jsonLine, printable } from '../output/printable.ts'
import { requirePerson } from './context.ts'
import type { CommandContext } from './context.ts'

export async function identity(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  const found = await context.components.identity({ configPath: context.globals.configPath })
  context.out.line(json ? jsonLine(found, 2) : found.peerId)
  return 0
}

/** A new key for this node. */
export async function rotateIdentity(context: CommandContext, { json, yes }: { json: boolean; yes: boolean }): Promise<number> {
  requirePerson(context, { yes, what: 'identity rotate' })
  const rotated = await context.components.rotateIdentity({ configPath: context.globals.configPath })
  if (json) context.out.line(jsonLine(rotated, 2))
  else {
    context.out.line(`${rotated.before} is now ${rotated.after}`)
    context.err.line(`peers that knew the old id follow at their next contact, within 30 days; where peer_id is written, change it`)
    context.err.line(`the old key is in ${rotated.backup}: delete it when all have followed`)
  }
  return 0
}

const BAD_CONFIG = 2

/** What is wrong goes to stderr, the verdict to stdout; `--json`: both in one document on stdout, whatever the file says. */
export async function configCheck(context: CommandContext, { json }: { json: boolean }): Promise<number> {
  const checking = context.components.checkConfig({ configPath: context.globals.configPath })
  const { file, diagnostics } = await (json ? checking.catch(asReport) : checking)
  const errors = countOf('error', diagnostics)
  if (json) context.out.line(jsonLine(diagnosticsJson(file, diagnostics), 2))
  else tell(context, file, diagnostics)
  return errors > 0 ? BAD_CONFIG : 0
}

/** A file that cannot be read is its own diagnostic. */
function asReport(error: unknown): ConfigReport {
  if (!isAppError(error, 'bad_config')) throw error
  return { diagnostics: [{ severity: 'error', path: '', message: error.message }] }
}

function tell({ out, err, errStyle }: CommandContext, file: string | undefined, diagnostics: readonly Diagnostic[]): void {
  for (const diagnostic of diagnostics) {
    const paint = diagnostic.severity === 'error' ? errStyle.red : errStyle.yellow
    err.line(paint(printable(formatDiagnostic(diagnostic))))
  }
  if (file === undefined) return out.line('no configuration file: the defaults hold')
  const errors = countOf('error', diagnostics)
  out.line(`${file}: ${errors === 0 ? 'ok' : errors === 1 ? '1 error' : `${errors} errors`}`)
  if (errors > 0) err.line(`${errStyle.cyan('hint:')} ${CONFIG_HINT}`)
}

export async function configSchema(context: CommandContext): Promise<number> {
  context.out.line(jsonLine(await context.components.configSchema(), 2))
  return 0
}
