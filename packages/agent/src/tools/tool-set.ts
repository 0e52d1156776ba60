import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Sandbox } from '../sandbox/types.ts'
import { editTool } from './edit.ts'
import type { Environment } from './environment.ts'
import { createListTool } from './list-files.ts'
import { questionTool } from './question.ts'
import { readFileTool } from './read-file.ts'
import { createSearchTool } from './search-text.ts'
import { createShellTool } from './shell.ts'
import type { Tool, ToolSet } from './types.ts'
import { openWorkspace } from './workspace.ts'
import { writeFileTool } from './write-file.ts'

export interface ToolOptions {
  /** Closed to file tools, also through symlinks and searches. */
  qmtHome: string
  /** Closed too, wherever they are: the configuration, keys. */
  closed?: readonly string[]
  /** Holds a directory a session with the outputs that were too long for the model. Default: `output` in `qmtHome`. */
  outputDir?: string
  /** Further tools; one of a built-in's name replaces it. */
  extra?: readonly Tool[]
}

/** The built-in tools. `env` is this process's; tools get a listed part of it. Without a `sandbox`, commands run as this process does. */
export function createTools(components: { env: Environment; sandbox?: Sandbox }, options: ToolOptions): ToolSet {
  const { env, sandbox } = components
  const builtIn = [readFileTool, createListTool(env), createSearchTool(env), editTool, writeFileTool, createShellTool(env), questionTool]
  const byName = new Map([...builtIn, ...(options.extra ?? [])].map((tool) => [tool.name, tool]))
  const outputDir = options.outputDir ?? join(options.qmtHome, 'output')
  return {
    all: [...byName.values()],
    get: (name) => byName.get(name),
    openWorkspace: async (directory, sessionId, commands) =>
      await openWorkspace(directory, {
        qmtHome: options.qmtHome,
        closed: options.closed,
        outputDir: join(outputDir, sessionId),
        home: env['HOME'],
        path: env['PATH'],
        confine: async (place) => commands && (await sandbox?.confine({ ...place, ...commands })),
      }),
    discard: async (sessionId) => await rm(join(outputDir, sessionId), { recursive: true, force: true }),
  }
}
