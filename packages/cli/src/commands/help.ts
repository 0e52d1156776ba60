import type { Command } from 'commander'

const DESCRIPTION = `A coding agent whose nodes form a mesh: the model may think on another machine while the tools work on this one.

Without a command: a chat on a terminal; otherwise (or with --headless) a node of the mesh that runs until it is stopped.`

const AFTER = `
Examples:
  qmtcode                                     chat in this directory
  qmtcode run "what does this project do?"    one answer, then the end
  qmtcode --model builtin/demo                try it without a key: a built-in program, no LLM
  git diff | qmtcode run -                    the prompt from a pipe
  qmtcode team.toml run --agent gpu-coder --allow edit,shell "fix the failing test"
  qmtcode --headless --mesh                   share this machine's models
  qmtcode invite --name laptop                let a machine in; over there: qmtcode join, then paste
  qmtcode attach gpu-server --new             a session over there, with its files and tools
  qmtcode --mesh=/ip4/192.168.1.100/tcp/9000  chat, and dial that peer
  qmtcode models --json | jq -r '.[].id'

Exit codes:
  0  done                    3    a peer or a model cannot be reached
  1  failed                  4    refused: not admitted, forbidden, or a permission nobody could give
  2  usage, configuration    129  the terminal went away
                             130  interrupted

Files, in QMT_HOME (default ~/.qmt):
  config.toml        configuration (see: qmtcode config check, config schema)
  mesh_identity.key  this node's key; its peer id: qmtcode identity
  known_peers.json   whom we trust
  audit.jsonl        what peers did here, and this node there (see: qmtcode audit)
  sessions.db        sessions
  qmtcode.log        what went on, for whoever has to find out

Variables: QMT_HOME, NO_COLOR; QMT_LOG (debug, info, warn, error: how much QMT_HOME/qmtcode.log tells);
for models ANTHROPIC_API_KEY, OPENAI_API_KEY, GOOGLE_GENERATIVE_AI_API_KEY.`

/** What commander's own help lacks. */
export function rootHelp(program: Command, notBuilt: readonly string[]): void {
  program.description(DESCRIPTION)
  program.addHelpText('after', `${AFTER}\n\nNot built yet: ${notBuilt.join(', ')}.`)
}
