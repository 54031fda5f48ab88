import { expect, test } from 'vitest'
import { isDefaultRoute, parseIPv4Routes } from '../../src/oci/ipv4-route.ts'

const header = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT   \n'

test('a default route and a network are read as the kernel writes them', () => {
  const routes = parseIPv4Routes(
    `${header}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`,
  )
  expect(routes).toEqual([
    { interfaceName: 'eth0', destination: 0, mask: 0 },
    { interfaceName: 'eth0', destination: 0x000200c0, mask: 0x00ffffff },
  ])
  expect(routes.map(isDefaultRoute)).toEqual([true, false])
})

test('half of all addresses is no default route, as a VPN has two of', () => {
  const [route] = parseIPv4Routes(`${header}tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n`)
  expect(route !== undefined && isDefaultRoute(route)).toBe(false)
})

test('a host without routes, or without the table, has none', () => {
  expect(parseIPv4Routes(header)).toEqual([])
  expect(parseIPv4Routes('')).toEqual([])
})
