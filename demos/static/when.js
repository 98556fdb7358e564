// Times as people say them.

import { language } from './words.js';

/** "3 minutes ago", "yesterday", then a date. */
export function when(iso) {
  const then = new Date(iso);
  const minutes = (then - Date.now()) / 60000;
  const ago = new Intl.RelativeTimeFormat(language(), { numeric: 'auto' });
  if (Math.abs(minutes) < 60) return ago.format(Math.round(minutes), 'minute');
  if (Math.abs(minutes) < 24 * 60) return ago.format(Math.round(minutes / 60), 'hour');
  if (Math.abs(minutes) < 7 * 24 * 60) return ago.format(Math.round(minutes / 1440), 'day');
  return new Intl.DateTimeFormat(language(), { dateStyle: 'medium' }).format(then);
}
