import { PERMISSION_ACTIONS, PERMISSION_DEFAULTS, PROVIDER_KINDS, SANDBOX_MODES } from '@qmtcode/agent/vocabulary'
import { z } from 'zod'
import { agentId, count, httpUrl, text, texts } from './values.ts'

export const providerSchema = z.strictObject({
  kind: z
    .enum(PROVIDER_KINDS)
    .optional()
    .describe('Protocol of the server. Default: the name of the table where it is a kind, else `openai-compatible`.'),
  base_url: httpUrl().optional().describe("Where the server is. Default: the provider's own; needed for a server of another name."),
  api_key: text().optional().describe("Key; better as `${VAR}`. Default: the provider's environment variable."),
  max_output_tokens: count(1, 10_000_000)
    .optional()
    .describe(
      'How long one answer may be, in tokens. Default: the server\'s own; 32000 for models that `kind = "anthropic"` does not know.',
    ),
})

const action = z.enum(PERMISSION_ACTIONS)

const ruleSchema = z.strictObject({
  tool: text().describe('Tool, or kind of tool: `read`, `edit`, `shell`, `web`, `mcp`, `outside`; `*` is any.'),
  match: text().optional().describe('Path or command it is for; [how it matches](#rules-about-commands). Default: all.'),
  action: action.describe('`allow`, `ask` or `deny`.'),
})

export const permissionsSchema = z.strictObject({
  read: action.default(PERMISSION_DEFAULTS.read).describe('Reads in the workspace.'),
  edit: action.default(PERMISSION_DEFAULTS.edit).describe('Changes of files in the workspace.'),
  shell: action.default(PERMISSION_DEFAULTS.shell).describe('Commands.'),
  web: action.default(PERMISSION_DEFAULTS.web).describe('Requests to the web.'),
  mcp: action.default(PERMISSION_DEFAULTS.mcp).describe('Tools of MCP servers.'),
  outside: action.default(PERMISSION_DEFAULTS.outside).describe('Files outside the workspace.'),
  web_private: action.default('deny').describe('Requests to private addresses.'),
  sandbox: z.enum(SANDBOX_MODES).default('auto').describe('Commands run in a sandbox: where this machine has one, only there, or never.'),
  sandbox_read: texts().default([]).describe('Files and directories of your home that commands in the sandbox may read.'),
  sandbox_write: texts().default([]).describe('Directories beside the workspace that commands in the sandbox may write.'),
  rule: z.array(ruleSchema).default([]).describe('Exceptions; the last one that matches wins.'),
})

export const mcpSchema = z.strictObject({
  name: agentId().describe('What agents call it in `mcp = […]`.'),
  command: text().optional().describe('Program to start, which speaks MCP on stdio.'),
  args: z.array(z.string()).default([]).describe('Its arguments.'),
  env: z.record(z.string(), z.string()).default({}).describe('Its environment, beside the allow-listed one.'),
  url: httpUrl().optional().describe('Server to connect to, instead of `command`.'),
  headers: z.record(z.string(), z.string()).default({}).describe('Headers of its requests; better as `${VAR}`.'),
})

export const serverSchema = z.strictObject({
  tls_cert: text().optional().describe('Certificate, PEM.'),
  tls_key: text().optional().describe('Its private key, PEM.'),
})
