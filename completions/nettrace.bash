# Completion of nettrace for bash. Generated from src/commands/program.ts: do not edit.

_nettrace_probes='
    all default tcp-out ip-out ipv6-out bridge qdisc device-out device-in packet-socket arp neighbour device netfilter
    ip-in ipv6-in route tcp-in udp icmp icmpv6 socket tcp-state tcp-congestion tcp-retrans tcp-rtt bonding vlan vxlan
    ipvlan xfrm conntrack ovs life tcp ip ipv6 ip6 link sched link-out link-in pkt packet pkt-in pkt-out neigh nf
    ip-route udp-in icmp-in icmp6 sock rtt bond ipsec esp ct openvswitch tcp_skb_entail __tcp_transmit_skb
    __tcp_retransmit_skb tcp_retransmit_skb tcp_v4_send_reset tcp_v6_send_reset tcp_send_reset __ip_queue_xmit
    ip_send_skb __ip_local_out ip_output ip_mc_output ip_finish_output ip_finish_output2 ip_do_fragment ip_fragment
    ip6_xmit ip6_send_skb __ip6_local_out ip6_output ip6_finish_output ip6_finish_output2 ip6_fragment br_handle_frame
    br_handle_frame_finish br_pass_frame_up br_forward __br_forward br_flood br_dev_xmit br_dev_queue_push_xmit
    br_nf_pre_routing br_nf_forward_ip sch_direct_xmit dev_qdisc_enqueue pfifo_enqueue pfifo_fast_enqueue
    fq_codel_enqueue fq_enqueue htb_enqueue tbf_enqueue netem_enqueue tcf_classify tcf_classify_ingress qdisc_enqueue
    qdisc_dequeue __dev_queue_xmit net_dev_queue dev_hard_start_xmit net_dev_start_xmit net_dev_xmit skb_checksum_help
    dev_loopback_xmit napi_gro_receive_entry dev_gro_receive enqueue_to_backlog netif_rx __netif_receive_skb_core
    netif_receive_skb do_xdp_generic packet_rcv tpacket_rcv packet_rcv_spkt packet_rcv_fanout arp_rcv arp_process
    arp_xmit arp_error_report __neigh_event_send neigh_resolve_output neigh_timer_handler net_dev_xmit_timeout
    nf_hook_slow nft_do_chain nft_trace_notify ipt_do_table ip6t_do_table nf_send_unreach nf_send_unreach6
    nf_send_reset nf_send_reset6 nf_nat_manip_pkt ip_rcv ip_rcv_core ip_rcv_finish ip_defrag ip_local_deliver
    ip_local_deliver_finish ip_forward ip_forward_finish ip_error __skb_checksum_complete ipv6_rcv ip6_rcv_core
    ip6_rcv_finish ip6_input ip6_input_finish ip6_protocol_deliver_rcu ip6_forward ip_route_input_slow
    fib_table_lookup fib_validate_source ip6_route_input ip6_pkt_discard ip6_pkt_discard_out ip6_pkt_prohibit
    tcp_v4_rcv tcp_v6_rcv __inet_lookup_listener inet6_lookup_listener tcp_filter tcp_v4_do_rcv tcp_v6_do_rcv
    tcp_check_req tcp_child_process tcp_conn_request cookie_v4_init_sequence cookie_v6_init_sequence
    tcp_v4_syn_recv_sock tcp_v6_syn_recv_sock cookie_v4_check cookie_v6_check tcp_add_backlog tcp_validate_incoming
    tcp_try_rmem_schedule tcp_rcv_state_process tcp_rcv_established inet_sock_set_state tcp_probe tcp_bad_csum tcp_ack
    tcp_queue_rcv tcp_collapse tcp_collapse_one tcp_data_queue tcp_data_queue_ofo tcp_reset tcp_timewait_state_process
    tcp_v4_inbound_md5_hash udp_send_skb udp_v6_send_skb __udp4_lib_rcv udp_unicast_rcv_skb udp_queue_rcv_skb
    udp_queue_rcv_one_skb __udp6_lib_rcv udpv6_queue_rcv_skb udpv6_queue_rcv_one_skb __udp_enqueue_schedule_skb
    sock_rcvqueue_full udp_fail_queue_rcv_skb icmp_rcv icmp_echo icmp_reply icmp_unreach icmp_redirect ping_rcv
    __icmp_send icmp_send icmpv6_rcv icmpv6_echo_reply ndisc_rcv icmp6_send skb_copy_datagram_iovec tcp_recv_skb
    skb_consume_udp __sock_queue_rcv_skb inet_listen tcp_connect tcp_v4_destroy_sock tcp_destroy_sock tcp_close
    tcp_fin tcp_send_active_reset tcp_receive_reset tcp_enter_recovery tcp_enter_loss tcp_enter_cwr tcp_cong_state_set
    tcp_rcv_space_adjust tcp_rate_skb_delivered tcp_retransmit_timer tcp_write_timer_handler tcp_send_loss_probe
    tcp_send_probe0 tcp_retransmit_synack tcp_ack_update_rtt tcp_probe_rtt bond_handle_frame bond_start_xmit
    bond_dev_queue_xmit bond_rcv_validate vlan_do_receive vlan_dev_hard_start_xmit vlan_skb_recv vxlan_xmit
    vxlan_xmit_one vxlan_rcv udp_tunnel_xmit_skb iptunnel_xmit ipvlan_queue_xmit ipvlan_start_xmit ipvlan_handle_frame
    ipvlan_rcv_frame ipvlan_xmit_mode_l3 ipvlan_process_outbound ipvlan_process_v4_outbound xfrm4_output xfrm6_output
    xfrm_output xfrm_output2 xfrm_output_gso xfrm_output_resume xfrm_input xfrm4_transport_finish __xfrm_policy_check
    nf_conntrack_in nf_conntrack_tcp_packet nf_conntrack_udp_packet nf_conntrack_icmp_packet __nf_conntrack_confirm
    nf_confirm resolve_normal_ct ovs_vport_receive ovs_dp_process_packet ovs_execute_actions ovs_vport_send
    ovs_dp_upcall skb_clone skb_copy __pskb_copy_fclone skb_copy_expand __skb_gso_segment kfree_skb consume_skb
    __kfree_skb kfree_skb_partial skb_attempt_defer_free __kfree_skb_defer __napi_kfree_skb napi_skb_free_stolen_head
'

# Words that the last part of a list with commas may become. The words are our own: compgen -W expands them.
_nettrace_list() { # CURRENT WORDS
    local before=
    [[ $1 == *,* ]] && before=${1%,*},
    mapfile -t COMPREPLY < <(compgen -P "$before" -W "$2" -- "${1##*,}")
    compopt -o nospace 2>/dev/null
    [[ ${#COMPREPLY[@]} -gt 1 ]] || compopt +o nospace 2>/dev/null
}

# Last parts of paths, quoted: anyone may have chosen them.
_nettrace_names() { # CURRENT PATH...
    local path name
    for path in "${@:2}"; do
        [ -e "$path" ] || continue
        path=${path%/}
        name=${path##*/}
        [[ $name == "$1"* ]] && COMPREPLY+=("$(printf %q "$name")")
    done
}

_nettrace_files() { # CURRENT
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_nettrace() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=nettrace words i
    COMPREPLY=()
    # the shell takes --option=value apart
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -s | --saddr | -d | --daddr | --addr | -S | --sport | -D | --dport | -P | --port | --tcp-flags | --pkt-len | --pid | --comm | --filter | --filter-tunnel | --filter-meta | --filter-srtt | --filter-minrtt | -c | --count | --rotate | --min-latency | --rate-limit | --sample | --buffer | --state | --set | --repeat | --jobs | --seed | -p | --proto | --netns | --ifname | -t | --trace | --trace-exclude | --trace-matcher | --trace-free | --trace-stack | -o | --output | --btf-path | --pcap | --backend)
            i=$((i + 1))
            [[ ${COMP_WORDS[i]-} != = ]] || i=$((i + 1))
            ;;
        show | diff | connections | doctor | probes | repro | help)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done
    case $command:$prev in
    connections:-p | connections:--proto)
        _nettrace_list "$cur" 'tcp udp raw'
        return
        ;;
    *:-s | *:--saddr | *:-d | *:--daddr | *:--addr | *:-S | *:--sport | *:-D | *:--dport | *:-P | *:--port | *:--tcp-flags | *:--pkt-len | *:--pid | *:--comm | *:--filter | *:--filter-tunnel | *:--filter-meta | *:--filter-srtt | *:--filter-minrtt | *:-c | *:--count | *:--rotate | *:--min-latency | *:--rate-limit | *:--sample | *:--buffer | *:--state | *:--set | *:--repeat | *:--jobs | *:--seed)
        :
        return
        ;;
    *:-p | *:--proto)
        _nettrace_list "$cur" 'tcp udp icmp icmpv6 arp ip ipv6 igmp ipip dccp gre esp ah ospf pim vrrp l2tp sctp udplite'
        return
        ;;
    *:--netns)
        _nettrace_names "$cur" /run/netns/*
        return
        ;;
    *:--ifname)
        _nettrace_names "$cur" /sys/class/net/*/
        return
        ;;
    *:-t | *:--trace | *:--trace-exclude | *:--trace-matcher | *:--trace-free | *:--trace-stack)
        _nettrace_list "$cur" "$_nettrace_probes"
        return
        ;;
    *:-o | *:--output | *:--btf-path | *:--pcap)
        _nettrace_files "$cur"
        return
        ;;
    *:--backend)
        _nettrace_list "$cur" 'kprobe-multi kprobe fentry tracepoint'
        return
        ;;
    esac
    case $command in
    nettrace) words='-s --saddr -d --daddr --addr -S --sport -D --dport -P --port -p --proto --tcp-flags --pkt-len --netns --ifname --pid --comm --netns-current --filter --filter-tunnel --filter-meta --basic --drop --monitor --sock --rtt --rtt-detail --latency --latency-summary --func-stats --drop-stack --drop-all --latency-free --filter-srtt --filter-minrtt -t --trace --trace-exclude --trace-matcher --trace-free --trace-stack --trace-noclone --diag --diag-keep --diag-quiet --explain -c --count --json -o --output --rotate --date --detail --ret --tiny-show --latency-show --min-latency --hooks --counters --backend --rate-limit --sample --buffer --btf-path --force -v --verbose --debug -V --version -h --help' ;;
    show) words='-F --follow -s --saddr -d --daddr --addr -S --sport -D --dport -P --port -p --proto --tcp-flags --pkt-len --netns --ifname --pid --comm --netns-current --filter --filter-tunnel --filter-meta --basic --drop --monitor --sock --rtt --rtt-detail --latency --latency-summary --func-stats --drop-stack --drop-all --latency-free --filter-srtt --filter-minrtt -t --trace --trace-exclude --trace-matcher --trace-free --trace-stack --trace-noclone --diag --diag-keep --diag-quiet --explain -c --count --json -o --output --rotate --date --detail --ret --tiny-show --latency-show --min-latency --hooks -h --help' ;;
    diff) words='-s --saddr -d --daddr --addr -S --sport -D --dport -P --port -p --proto --tcp-flags --pkt-len --netns --ifname --pid --comm --json -h --help' ;;
    connections) words='-s --saddr -d --daddr --addr -S --sport -D --dport -P --port -p --proto --state -l --listen --netns --pid --comm --json -h --help' ;;
    doctor) words='--json -h --help' ;;
    probes) words='--json -h --help' ;;
    repro) words='--set --repeat --jobs --seed --backend --keep --json -o --output --pcap --detail -h --help' ;;
    help) words='' ;;
    esac
    if [[ $cur != -* ]]; then
        case $command in
        show | diff)
            _nettrace_files "$cur"
            return
            ;;
        nettrace | help) words='show diff connections doctor probes repro help' ;;
        *) return ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _nettrace nettrace
