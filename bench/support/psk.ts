import type { ConnectionOptions, TlsOptions } from 'node:tls'

/**
 * Stock TLS 1.3 between two processes of a bench, keyed in advance: the handshake is not what is measured,
 * and its records are AES-GCM as those of the mesh are.
 */
const key = Buffer.alloc(32, 7)
const common = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const

export const SERVER_TLS: TlsOptions = { ...common, pskCallback: () => key }
export const CLIENT_TLS: ConnectionOptions = {
  ...common,
  pskCallback: () => ({ psk: key, identity: 'bench' }),
  checkServerIdentity: () => undefined,
}
