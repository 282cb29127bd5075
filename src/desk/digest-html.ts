/**
 * A digest as HTML, for mail programs that show it: the same words as the plain text, no pictures, no links out, nothing
 * that is fetched.
 */
import type { DigestContent } from './digest-content.ts'
import { type DigestSection, footerOf, headlineOf, sectionsOf } from './digest-text.ts'

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
}

/** A whole document. */
export function renderHtml(content: DigestContent): string {
  return [
    '<!DOCTYPE html>',
    '<html lang="en"><head><meta charset="utf-8"><title>Sluice</title></head>',
    '<body style="font-family: sans-serif; font-size: 14px">',
    `<p><strong>${escapeHtml(headlineOf(content))}.</strong></p>`,
    ...sectionsOf(content).flatMap(sectionHtml),
    `<p style="color: #666">${escapeHtml(footerOf(content))}</p>`,
    '</body></html>',
    '',
  ].join('\n')
}

function sectionHtml({ title, items, more, hint }: DigestSection): string[] {
  return [
    `<h3>${escapeHtml(title)}</h3>`,
    '<ul>',
    ...items.map(({ head, lines }) => {
      const below = lines.map((line) => `<br><span style="color: #444">${escapeHtml(line)}</span>`)
      return `<li>${escapeHtml(head)}${below.join('')}</li>`
    }),
    ...(more === undefined ? [] : [`<li>${escapeHtml(more)}</li>`]),
    '</ul>',
    ...(hint === undefined ? [] : [`<p><code>${escapeHtml(hint)}</code></p>`]),
  ]
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? '')
}
