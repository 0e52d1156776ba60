import type { MeshConfig } from './config.ts'

/** The mesh of a home that joined one, and whose configuration says nothing of it: it reaches peers, opens no port, is announced to nobody and shares nothing. */
export const dialOnly = (mesh: MeshConfig): MeshConfig => ({
  ...mesh,
  enabled: true,
  listen: [],
  defaultListen: false,
  discovery: [],
  share: { ...mesh.share, models: [] },
})
