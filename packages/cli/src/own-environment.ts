import type { Environment } from './config/environment.ts'

/** What this process and its libraries read of the environment by themselves, later than at its start; none of it is a secret. */
const KEPT = new Set(
  (
    'PATH HOME USER LOGNAME SHELL TERM COLORTERM COLUMNS LINES NO_COLOR FORCE_COLOR CI LANG LANGUAGE TZ TMPDIR TMP TEMP DEBUG ' +
    'NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_COMPILE_CACHE NODE_V8_COVERAGE NODE_DEBUG NODE_NO_WARNINGS SSL_CERT_FILE SSL_CERT_DIR ' +
    'SystemRoot windir ComSpec PATHEXT USERPROFILE APPDATA LOCALAPPDATA USERNAME'
  ).split(' '),
)

/**
 * The environment as it was, for whom it is handed to. The process keeps the part without secrets: no library and no child that is started
 * without an environment of its own finds a key, whatever the variable is called.
 */
export function takeEnvironment(env: NodeJS.ProcessEnv): Environment {
  const taken = { ...env }
  for (const name of Object.keys(env)) if (!KEPT.has(name) && !name.startsWith('LC_')) delete env[name]
  return taken
}
