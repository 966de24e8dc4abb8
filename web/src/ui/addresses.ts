/** How the states of addresses are told apart without colour. */
const glyphs: Record<string, string> = { server: 'S', router: 'G', conflict: '!', excluded: '', outside: '', reserved: '', free: '', leased: '' };
const words: Record<string, string> = {
  free: 'free',
  leased: 'leased',
  reserved: 'reserved',
  excluded: 'excluded',
  server: 'DHCP server',
  router: 'router',
  conflict: 'conflict',
  outside: 'outside of the range',
};

export const addressStates = ['leased', 'reserved', 'free', 'conflict', 'excluded', 'server', 'router', 'outside'];

export function glyphOf(state: string): string {
  return glyphs[state] ?? '?';
}

export function wordOf(state: string): string {
  return words[state] ?? state;
}
