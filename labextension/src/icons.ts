// Icons: our own one, and those of servers.

import { LabIcon } from '@jupyterlab/ui-components';

import serverSvg from '../style/icons/server.svg';

export const serverIcon = new LabIcon({ name: 'server-proxy:server', svgstr: serverSvg });

/**
 * The icon of a server at a URL, or the default one.
 *
 * The file is shown as an image and is not made a part of the page: an SVG can hold scripts.
 */
export function iconOf(name: string, url: string | null | undefined): LabIcon {
  if (!url) {
    return serverIcon;
  }
  const key = `server-proxy:icon:${name}`;
  let icon = icons.get(key);
  if (!icon) {
    const image = document.createElementNS('http://www.w3.org/2000/svg', 'image');
    image.setAttribute('href', url);
    image.setAttribute('width', '24');
    image.setAttribute('height', '24');
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('width', '16');
    svg.append(image);
    icon = new LabIcon({ name: key, svgstr: new XMLSerializer().serializeToString(svg) });
    icons.set(key, icon);
  }
  return icon;
}

const icons = new Map<string, LabIcon>();
