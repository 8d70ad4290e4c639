var e=()=>({show(){},hide(){},destroy(){},identify(){},send(){},newConversation(){},setTheme(){},setColor(){}});export{e as default};
