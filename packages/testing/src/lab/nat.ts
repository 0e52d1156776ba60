import { nftIn } from './shell.ts'
import type { NatKind } from './types.ts'

const PROTOCOLS = ['udp', 'tcp'] as const
const REMEMBERED = '2m'

/** Turns a namespace that forwards into a NAT, with a firewall that says nothing to what comes unasked. */
export async function translate(namespace: string, kind: NatKind, { outside }: { outside: string }): Promise<void> {
  const masquerade = kind === 'symmetric' ? 'masquerade fully-random' : 'masquerade'
  const rules = [
    'add table ip nat;',
    'add chain ip nat source { type nat hook postrouting priority 100; };',
    `add rule ip nat source oifname ${outside} meta l4proto { tcp, udp } ${masquerade};`,
    `add rule ip nat source oifname ${outside} masquerade;`,
    ...(kind === 'full-cone' || kind === 'address-restricted' ? cone(kind, outside) : []),
    'add table ip guard;',
    'add chain ip guard pass { type filter hook forward priority 0; policy drop; };',
    'add rule ip guard pass ct state established,related accept;',
    'add rule ip guard pass ct status dnat accept;',
    `add rule ip guard pass iifname != ${outside} accept;`,
    // Dropped before it is tracked for good: else it would take the port that a host inside is about to use.
    'add chain ip guard own { type filter hook input priority 0; };',
    `add rule ip guard own iifname ${outside} ct state established,related accept;`,
    `add rule ip guard own iifname ${outside} icmp type echo-request accept;`,
    `add rule ip guard own iifname ${outside} drop;`,
  ]
  await nftIn(namespace, rules.join(' '))
}

/**
 * The kernel's own NAT lets only the asked endpoint answer. Here a host's port is remembered when it sends, and what others send to it is
 * let in. The kernel keeps a port's number where it is free, so the port outside is the port inside.
 */
function cone(kind: 'full-cone' | 'address-restricted', outside: string): string[] {
  const asked = kind === 'address-restricted'
  return [
    'add chain ip nat entry { type nat hook prerouting priority -100; };',
    'add chain ip nat seen { type filter hook postrouting priority 90; };',
    ...PROTOCOLS.flatMap((protocol) => [
      `add map ip nat bearer_${protocol} { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout ${REMEMBERED}; };`,
      `add rule ip nat seen oifname ${outside} meta l4proto ${protocol} ct direction original` +
        ` update @bearer_${protocol} { ${protocol} sport : ip saddr . ${protocol} sport };`,
      ...(asked
        ? [
            `add set ip nat asked_${protocol} { type ipv4_addr . inet_service; flags dynamic,timeout; timeout ${REMEMBERED}; };`,
            `add rule ip nat seen oifname ${outside} meta l4proto ${protocol} ct direction original` +
              ` update @asked_${protocol} { ip daddr . ${protocol} sport };`,
          ]
        : []),
      `add rule ip nat entry iifname ${outside} ${asked ? `ip saddr . ${protocol} dport @asked_${protocol} ` : ''}` +
        `dnat to ${protocol} dport map @bearer_${protocol};`,
    ]),
  ]
}
