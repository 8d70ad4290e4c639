export default () => ({ show() {}, hide() {}, destroy() {}, identify() {}, send() {}, newConversation() {}, setTheme() {}, setColor() {} });
