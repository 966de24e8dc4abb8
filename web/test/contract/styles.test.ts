import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

// In the extension these stand beside the styles of the host, which must not feel
// them. So every rule is of something below one of our own classes.
const files = ['../../src/ui/ui.css', '../../src/plugin/plugin.css'];

function selectors(css: string): string[] {
  const plain = css.replaceAll(/\/\*[^]*?\*\//g, '').replaceAll(/"[^"]*"|'[^']*'/g, '""').replaceAll(/@keyframes\s+vmdhcp-[\w-]+\s*\{(?:[^{}]*\{[^{}]*\})*\s*\}/g, '');
  const heads = [...plain.matchAll(/(?:^|[{};])\s*([^{};]+?)\s*(?=\{)/g)].map(([, head]) => head!).filter((head) => !/^@(media|supports)\b/.test(head));

  // Commas within brackets do not part selectors.
  return heads.flatMap((head) => head.split(/,(?![^(]*\))/)).map((one) => one.trim());
}

describe.each(files)('%s', (file) => {
  const found = selectors(readFileSync(new URL(file, import.meta.url), 'utf8'));

  it('has rules', () => expect(found.length).toBeGreaterThan(3));

  it('is only about our own classes', () => {
    expect(found.filter((selector) => !selector.includes('.vmdhcp-'))).toEqual([]);
    // What stands before our class may be the host's theme, or a state of what is around.
    const before = found.map((selector) => selector.slice(0, selector.indexOf('.vmdhcp-')).trim().replace(/>$/, '').trim());
    expect(before.filter((outer) => !/^(|pre|\*:hover|\.theme-(dark|light)|\.theme-(dark|light) :is\(|\[aria-sort=""\])$/.test(outer))).toEqual([]);
  });

  it('names no class of somebody else', () => {
    const classes = found.flatMap((selector) => [...selector.matchAll(/\.([A-Za-z_][\w-]*)/g)].map(([, name]) => name!));
    expect(classes.filter((name) => !/^(vmdhcp-|theme-(dark|light)$)/.test(name))).toEqual([]);
  });
});

describe('the selectors of a text', () => {
  it.each([
    ['body { x: y } .vmdhcp-a { x: y }', ['body', '.vmdhcp-a']],
    ['@media (width <= 9px) { a:is(b, c), d { x: y } }', ['a:is(b, c)', 'd']],
    [':root { --a: b } /* e { } */ @keyframes vmdhcp-k { to { x: y } } f { }', [':root', 'f']],
    ['@keyframes bare { to { x: y } }', ['@keyframes bare', 'to']],
  ])('%s', (css, want) => expect(selectors(css)).toEqual(want));
});
