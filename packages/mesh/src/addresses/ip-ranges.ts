/** Of an IP address or a host name, in canonical form. */
export const isWildcardHost = (host: string): boolean => host === '0.0.0.0' || host === '::'

export const isLoopbackHost = (host: string): boolean => host === '::1' || host.startsWith('127.') || host === 'localhost'

/** Needs a zone to be dialled. */
export const isLinkLocalHost = (host: string): boolean => /^fe[89ab]/i.test(host)

/** Reached without leaving the site: RFC 1918, shared (RFC 6598) and link-local addresses, unique local ones of IPv6. */
export const isPrivateHost = (host: string): boolean =>
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.)/.test(host) ||
  /^(f[cd]|fe[89ab])/i.test(host)
