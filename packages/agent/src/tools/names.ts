/** The tools that `createTools` makes, in the order in which models are told of them. */
export const BUILT_IN_TOOLS = ['read_file', 'list_files', 'search_text', 'edit', 'write_file', 'shell', 'question'] as const

/** There where the mesh is. */
export const MESH_TOOLS = ['board_read', 'board_write'] as const
