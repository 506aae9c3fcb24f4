// Buttons of toolbars.

import { ToolbarButton } from '@jupyterlab/apputils';

/** A button that does something. JupyterLab's own takes each click for a switch, and would stay pressed. */
export function makeButton(props: ToolbarButton['props'] & { onClick: () => void }): ToolbarButton {
  const button = new ToolbarButton({
    ...props,
    onClick: () => {
      button.pressed = false;
      props.onClick();
    }
  });
  return button;
}

/** A switch: "pressed" for screen readers, too. */
export function makeSwitch(
  props: ToolbarButton['props'] & object,
  pressed: boolean,
  onSwitch: (pressed: boolean) => void
): ToolbarButton {
  const button = new ToolbarButton({ ...props, pressed, onClick: () => onSwitch(button.pressed) });
  return button;
}

/** Show some buttons in place of others. Who works with the keyboard goes on from the first of them. */
export function exchange(shown: ToolbarButton[], hidden: ToolbarButton[]): void {
  const hadFocus = hidden.some(({ node }) => node.contains(document.activeElement));
  shown.forEach(button => button.show());
  hidden.forEach(button => button.hide());
  if (hadFocus) {
    (shown[0].node.firstElementChild as HTMLElement | null)?.focus();
  }
}
