# Completion of nettrace for fish. Generated from src/commands/program.ts: do not edit.

function __nettrace_probes
    printf '%s\n' \
        all default tcp-out ip-out ipv6-out bridge qdisc device-out device-in packet-socket arp neighbour device \
        netfilter ip-in ipv6-in route tcp-in udp icmp icmpv6 socket tcp-state tcp-congestion tcp-retrans tcp-rtt \
        bonding vlan vxlan ipvlan xfrm conntrack ovs life tcp ip ipv6 ip6 link sched link-out link-in pkt packet \
        pkt-in pkt-out neigh nf ip-route udp-in icmp-in icmp6 sock rtt bond ipsec esp ct openvswitch tcp_skb_entail \
        __tcp_transmit_skb __tcp_retransmit_skb tcp_retransmit_skb tcp_v4_send_reset tcp_v6_send_reset tcp_send_reset \
        __ip_queue_xmit ip_send_skb __ip_local_out ip_output ip_mc_output ip_finish_output ip_finish_output2 \
        ip_do_fragment ip_fragment ip6_xmit ip6_send_skb __ip6_local_out ip6_output ip6_finish_output \
        ip6_finish_output2 ip6_fragment br_handle_frame br_handle_frame_finish br_pass_frame_up br_forward \
        __br_forward br_flood br_dev_xmit br_dev_queue_push_xmit br_nf_pre_routing br_nf_forward_ip sch_direct_xmit \
        dev_qdisc_enqueue pfifo_enqueue pfifo_fast_enqueue fq_codel_enqueue fq_enqueue htb_enqueue tbf_enqueue \
        netem_enqueue tcf_classify tcf_classify_ingress qdisc_enqueue qdisc_dequeue __dev_queue_xmit net_dev_queue \
        dev_hard_start_xmit net_dev_start_xmit net_dev_xmit skb_checksum_help dev_loopback_xmit napi_gro_receive_entry \
        dev_gro_receive enqueue_to_backlog netif_rx __netif_receive_skb_core netif_receive_skb do_xdp_generic \
        packet_rcv tpacket_rcv packet_rcv_spkt packet_rcv_fanout arp_rcv arp_process arp_xmit arp_error_report \
        __neigh_event_send neigh_resolve_output neigh_timer_handler net_dev_xmit_timeout nf_hook_slow nft_do_chain \
        nft_trace_notify ipt_do_table ip6t_do_table nf_send_unreach nf_send_unreach6 nf_send_reset nf_send_reset6 \
        nf_nat_manip_pkt ip_rcv ip_rcv_core ip_rcv_finish ip_defrag ip_local_deliver ip_local_deliver_finish \
        ip_forward ip_forward_finish ip_error __skb_checksum_complete ipv6_rcv ip6_rcv_core ip6_rcv_finish ip6_input \
        ip6_input_finish ip6_protocol_deliver_rcu ip6_forward ip_route_input_slow fib_table_lookup fib_validate_source \
        ip6_route_input ip6_pkt_discard ip6_pkt_discard_out ip6_pkt_prohibit tcp_v4_rcv tcp_v6_rcv \
        __inet_lookup_listener inet6_lookup_listener tcp_filter tcp_v4_do_rcv tcp_v6_do_rcv tcp_check_req \
        tcp_child_process tcp_conn_request cookie_v4_init_sequence cookie_v6_init_sequence tcp_v4_syn_recv_sock \
        tcp_v6_syn_recv_sock cookie_v4_check cookie_v6_check tcp_add_backlog tcp_validate_incoming \
        tcp_try_rmem_schedule tcp_rcv_state_process tcp_rcv_established inet_sock_set_state tcp_probe tcp_bad_csum \
        tcp_ack tcp_queue_rcv tcp_collapse tcp_collapse_one tcp_data_queue tcp_data_queue_ofo tcp_reset \
        tcp_timewait_state_process tcp_v4_inbound_md5_hash udp_send_skb udp_v6_send_skb __udp4_lib_rcv \
        udp_unicast_rcv_skb udp_queue_rcv_skb udp_queue_rcv_one_skb __udp6_lib_rcv udpv6_queue_rcv_skb \
        udpv6_queue_rcv_one_skb __udp_enqueue_schedule_skb sock_rcvqueue_full udp_fail_queue_rcv_skb icmp_rcv \
        icmp_echo icmp_reply icmp_unreach icmp_redirect ping_rcv __icmp_send icmp_send icmpv6_rcv icmpv6_echo_reply \
        ndisc_rcv icmp6_send skb_copy_datagram_iovec tcp_recv_skb skb_consume_udp __sock_queue_rcv_skb inet_listen \
        tcp_connect tcp_v4_destroy_sock tcp_destroy_sock tcp_close tcp_fin tcp_send_active_reset tcp_receive_reset \
        tcp_enter_recovery tcp_enter_loss tcp_enter_cwr tcp_cong_state_set tcp_rcv_space_adjust tcp_rate_skb_delivered \
        tcp_retransmit_timer tcp_write_timer_handler tcp_send_loss_probe tcp_send_probe0 tcp_retransmit_synack \
        tcp_ack_update_rtt tcp_probe_rtt bond_handle_frame bond_start_xmit bond_dev_queue_xmit bond_rcv_validate \
        vlan_do_receive vlan_dev_hard_start_xmit vlan_skb_recv vxlan_xmit vxlan_xmit_one vxlan_rcv udp_tunnel_xmit_skb \
        iptunnel_xmit ipvlan_queue_xmit ipvlan_start_xmit ipvlan_handle_frame ipvlan_rcv_frame ipvlan_xmit_mode_l3 \
        ipvlan_process_outbound ipvlan_process_v4_outbound xfrm4_output xfrm6_output xfrm_output xfrm_output2 \
        xfrm_output_gso xfrm_output_resume xfrm_input xfrm4_transport_finish __xfrm_policy_check nf_conntrack_in \
        nf_conntrack_tcp_packet nf_conntrack_udp_packet nf_conntrack_icmp_packet __nf_conntrack_confirm nf_confirm \
        resolve_normal_ct ovs_vport_receive ovs_dp_process_packet ovs_execute_actions ovs_vport_send ovs_dp_upcall \
        skb_clone skb_copy __pskb_copy_fclone skb_copy_expand __skb_gso_segment kfree_skb consume_skb __kfree_skb \
        kfree_skb_partial skb_attempt_defer_free __kfree_skb_defer __napi_kfree_skb napi_skb_free_stolen_head
end

# A glob that matches nothing is an error, but in for.
function __nettrace_interfaces
    for path in /sys/class/net/*/
        string replace -r '^/sys/class/net/(.*)/$' '$1' -- $path
    end
end

function __nettrace_netns
    for path in /run/netns/*
        string replace /run/netns/ '' -- $path
    end
end

# Is this the command of the line? nettrace itself where there is none.
function __nettrace_is --argument-names wanted
    set -l words (commandline -opc)
    set -l takes_value no
    for word in $words[2..]
        if test $takes_value = yes
            set takes_value no
            continue
        end
        switch $word
            case -s --saddr -d --daddr --addr -S --sport -D --dport -P --port --tcp-flags --pkt-len --pid --comm --filter --filter-tunnel --filter-meta --filter-srtt --filter-minrtt -c --count --rotate --min-latency --rate-limit --sample --buffer --state --set --repeat --jobs --seed -p --proto --netns --ifname -t --trace --trace-exclude --trace-matcher --trace-free --trace-stack -o --output --btf-path --pcap --backend
                set takes_value yes
            case show diff connections doctor probes repro help
                test $word = $wanted
                return
        end
    end
    test $wanted = nettrace
end

complete -c nettrace -f
complete -c nettrace -n '__nettrace_is nettrace' -a show -d 'show traces from files that --json wrote, compressed or not'
complete -c nettrace -n '__nettrace_is nettrace' -a diff -d 'show where the ways of packets in two files part'
complete -c nettrace -n '__nettrace_is nettrace' -a connections -d 'list sockets: state, queues, timers, age, owner; with --listen accept queues'
complete -c nettrace -n '__nettrace_is nettrace' -a doctor -d 'say what this kernel and this user can do, and what to enable'
complete -c nettrace -n '__nettrace_is nettrace' -a probes -d 'list what can be traced by group, and what this kernel has of it'
complete -c nettrace -n '__nettrace_is nettrace' -a repro -d 'play cases in networks of their own, trace them, and check what the kernel did'
complete -c nettrace -n '__nettrace_is nettrace' -a help -d 'show the help of a command'
complete -c nettrace -n '__nettrace_is help' -a show -d 'show traces from files that --json wrote, compressed or not'
complete -c nettrace -n '__nettrace_is help' -a diff -d 'show where the ways of packets in two files part'
complete -c nettrace -n '__nettrace_is help' -a connections -d 'list sockets: state, queues, timers, age, owner; with --listen accept queues'
complete -c nettrace -n '__nettrace_is help' -a doctor -d 'say what this kernel and this user can do, and what to enable'
complete -c nettrace -n '__nettrace_is help' -a probes -d 'list what can be traced by group, and what this kernel has of it'
complete -c nettrace -n '__nettrace_is help' -a repro -d 'play cases in networks of their own, trace them, and check what the kernel did'
complete -c nettrace -n '__nettrace_is help' -a help -d 'show the help of a command'
complete -c nettrace -n '__nettrace_is show' -F
complete -c nettrace -n '__nettrace_is diff' -F
complete -c nettrace -n '__nettrace_is nettrace' -s s -l saddr -x -d 'source address, IPv4 or IPv6, or CIDR; up to 8'
complete -c nettrace -n '__nettrace_is nettrace' -s d -l daddr -x -d 'destination address'
complete -c nettrace -n '__nettrace_is nettrace' -l addr -x -d 'source or destination address'
complete -c nettrace -n '__nettrace_is nettrace' -s S -l sport -x -d 'source port, or range such as 8000-8010; up to 16'
complete -c nettrace -n '__nettrace_is nettrace' -s D -l dport -x -d 'destination port'
complete -c nettrace -n '__nettrace_is nettrace' -s P -l port -x -d 'source or destination port'
complete -c nettrace -n '__nettrace_is nettrace' -s p -l proto -x -a 'tcp udp icmp icmpv6 arp ip ipv6 igmp ipip dccp gre esp ah ospf pim vrrp l2tp sctp udplite' -d 'protocol, or the number of one that IP carries: tcp, udp, icmp, icmpv6, arp, ip, ipv6, igmp, ipip, dccp, gre, esp, ah, ospf, pim, vrrp, l2tp, sctp, udplite'
complete -c nettrace -n '__nettrace_is nettrace' -l tcp-flags -x -d 'TCP flags of SARPFU, all of one set (SA,R: SYN-ACKs and RSTs)'
complete -c nettrace -n '__nettrace_is nettrace' -l pkt-len -x -d 'length from the IP or ARP header on, or a range'
complete -c nettrace -n '__nettrace_is nettrace' -l netns -x -a '(__nettrace_netns)' -d 'network namespace: inode, path, or name that ip netns lists'
complete -c nettrace -n '__nettrace_is nettrace' -l ifname -x -a '(__nettrace_interfaces)' -d 'interface of the first sight, or of a socket\'s route'
complete -c nettrace -n '__nettrace_is nettrace' -l pid -x -d 'process that owns the packet\'s socket'
complete -c nettrace -n '__nettrace_is nettrace' -l comm -x -d 'name of that process, at most 15 bytes'
complete -c nettrace -n '__nettrace_is nettrace' -l netns-current -d 'the network namespace of this shell'
complete -c nettrace -n '__nettrace_is nettrace' -l filter -x -d 'expression as for tcpdump: \'tcp port 8000\' (see pcap-filter(7))'
complete -c nettrace -n '__nettrace_is nettrace' -l filter-tunnel -x -d 'expression on the inner packet of VXLAN, Geneve, GRE, IP tunnels'
complete -c nettrace -n '__nettrace_is nettrace' -l filter-meta -x -d 'on struct sk_buff\'s fields: \'mark == 0x10 && dev.name == "eth0"\''
complete -c nettrace -n '__nettrace_is nettrace' -l basic -d 'each function by itself, at once'
complete -c nettrace -n '__nettrace_is nettrace' -l drop -d 'dropped packets, with reason and place'
complete -c nettrace -n '__nettrace_is nettrace' -l monitor -d 'abnormal events: drops, resets, retransmissions, full queues ...'
complete -c nettrace -n '__nettrace_is nettrace' -l sock -d 'what happens to TCP and UDP sockets, in place of packets'
complete -c nettrace -n '__nettrace_is nettrace' -l rtt -d 'distribution of round-trip times of TCP, each second'
complete -c nettrace -n '__nettrace_is nettrace' -l rtt-detail -d 'round-trip times of a connection at each acknowledgement'
complete -c nettrace -n '__nettrace_is nettrace' -l latency -d 'time from the first function to the last one before the free'
complete -c nettrace -n '__nettrace_is nettrace' -l latency-summary -d 'distribution of these times, each second'
complete -c nettrace -n '__nettrace_is nettrace' -l func-stats -d 'how often each function was called, at the end'
complete -c nettrace -n '__nettrace_is nettrace' -l drop-stack -d 'with --drop: call stacks'
complete -c nettrace -n '__nettrace_is nettrace' -l drop-all -d 'with --drop or --monitor: also frees that are no loss'
complete -c nettrace -n '__nettrace_is nettrace' -l latency-free -d 'with --latency or --latency-summary: time up to the free'
complete -c nettrace -n '__nettrace_is nettrace' -l filter-srtt -x -d 'with --rtt, --rtt-detail, --sock, --monitor: smoothed RTT at least'
complete -c nettrace -n '__nettrace_is nettrace' -l filter-minrtt -x -d 'with the same: smallest RTT at least'
complete -c nettrace -n '__nettrace_is nettrace' -s t -l trace -x -a '(__fish_complete_list , __nettrace_probes)' -d 'trace these, and where packets are followed, clones and frees'
complete -c nettrace -n '__nettrace_is nettrace' -l trace-exclude -x -a '(__fish_complete_list , __nettrace_probes)' -d 'leave these out'
complete -c nettrace -n '__nettrace_is nettrace' -l trace-matcher -x -a '(__fish_complete_list , __nettrace_probes)' -d 'packets may be seen for the first time only here'
complete -c nettrace -n '__nettrace_is nettrace' -l trace-free -x -a '(__fish_complete_list , __nettrace_probes)' -d 'a packet ends here'
complete -c nettrace -n '__nettrace_is nettrace' -l trace-stack -x -a '(__fish_complete_list , __nettrace_probes)' -d 'trace these too, and show their call stacks'
complete -c nettrace -n '__nettrace_is nettrace' -l trace-noclone -d 'clones do not join the packet that they were made from'
complete -c nettrace -n '__nettrace_is nettrace' -l diag -d 'what is wrong, and what to do about it; ends at the first error'
complete -c nettrace -n '__nettrace_is nettrace' -l diag-keep -d 'with --diag: go on after an error'
complete -c nettrace -n '__nettrace_is nettrace' -l diag-quiet -d 'with --diag: only packets with a warning or an error'
complete -c nettrace -n '__nettrace_is nettrace' -l explain -d 'evidence and advice of verdicts; a verdict for each TCP connection'
complete -c nettrace -n '__nettrace_is nettrace' -s c -l count -x -d 'end after so many packets, or whatever is reported'
complete -c nettrace -n '__nettrace_is nettrace' -l json -d 'one JSON object a line: a packet, or whatever is reported'
complete -c nettrace -n '__nettrace_is nettrace' -s o -l output -r -F -d 'write to a file (mode 0600), compressed if it ends in .gz or .zst'
complete -c nettrace -n '__nettrace_is nettrace' -l rotate -x -d 'keep n (9) full files, FILE.1 ..., of SIZE bytes (K, M, G)'
complete -c nettrace -n '__nettrace_is nettrace' -l date -d 'wall-clock time in place of seconds since the machine started'
complete -c nettrace -n '__nettrace_is nettrace' -l detail -d 'skb, CPU, interface, owner, netns, TCP options, mark and length'
complete -c nettrace -n '__nettrace_is nettrace' -l ret -d 'return values of all functions'
complete -c nettrace -n '__nettrace_is nettrace' -l tiny-show -d 'the packet on the first line of its block, notes on drops only'
complete -c nettrace -n '__nettrace_is nettrace' -l latency-show -d 'milliseconds since the last function, and of the whole way'
complete -c nettrace -n '__nettrace_is nettrace' -l min-latency -x -d 'packets that took at least so long; shown as with --latency-show'
complete -c nettrace -n '__nettrace_is nettrace' -l hooks -d 'functions that are registered at each netfilter hook'
complete -c nettrace -n '__nettrace_is nettrace' -l counters -d 'at the end: counters that moved, by which packets; sockets left'
complete -c nettrace -n '__nettrace_is nettrace' -l backend -x -a 'kprobe-multi kprobe fentry tracepoint' -d 'attach in this way only: kprobe-multi, kprobe, fentry, tracepoint'
complete -c nettrace -n '__nettrace_is nettrace' -l rate-limit -x -d 'at most so many events, or new packets, a second'
complete -c nettrace -n '__nettrace_is nettrace' -l sample -x -d '1/N: follow one of N packets; off: all; auto: fewer under overload'
complete -c nettrace -n '__nettrace_is nettrace' -l buffer -x -d 'ring buffer, a power of two from 4096 to 2^30 (default: 8388608)'
complete -c nettrace -n '__nettrace_is nettrace' -l btf-path -r -F -d 'BTF of the running kernel, where the kernel does not give it'
complete -c nettrace -n '__nettrace_is nettrace' -l force -d 'try even where a check says that it cannot work'
complete -c nettrace -n '__nettrace_is nettrace' -s v -l verbose -d 'say on standard error how each probe was attached'
complete -c nettrace -n '__nettrace_is nettrace' -l debug -d 'the same, and where in the program a failure came from'
complete -c nettrace -n '__nettrace_is nettrace' -s V -l version -d 'show the version'
complete -c nettrace -n '__nettrace_is nettrace' -s h -l help -d 'show this help'
complete -c nettrace -n '__nettrace_is show' -s F -l follow -d 'wait for more at the end of the file, also when it is rotated'
complete -c nettrace -n '__nettrace_is show' -s s -l saddr -x -d 'source address, IPv4 or IPv6, or CIDR; up to 8'
complete -c nettrace -n '__nettrace_is show' -s d -l daddr -x -d 'destination address'
complete -c nettrace -n '__nettrace_is show' -l addr -x -d 'source or destination address'
complete -c nettrace -n '__nettrace_is show' -s S -l sport -x -d 'source port, or range such as 8000-8010; up to 16'
complete -c nettrace -n '__nettrace_is show' -s D -l dport -x -d 'destination port'
complete -c nettrace -n '__nettrace_is show' -s P -l port -x -d 'source or destination port'
complete -c nettrace -n '__nettrace_is show' -s p -l proto -x -a 'tcp udp icmp icmpv6 arp ip ipv6 igmp ipip dccp gre esp ah ospf pim vrrp l2tp sctp udplite' -d 'protocol, or the number of one that IP carries: tcp, udp, icmp, icmpv6, arp, ip, ipv6, igmp, ipip, dccp, gre, esp, ah, ospf, pim, vrrp, l2tp, sctp, udplite'
complete -c nettrace -n '__nettrace_is show' -l tcp-flags -x -d 'TCP flags of SARPFU, all of one set (SA,R: SYN-ACKs and RSTs)'
complete -c nettrace -n '__nettrace_is show' -l pkt-len -x -d 'length from the IP or ARP header on, or a range'
complete -c nettrace -n '__nettrace_is show' -l netns -x -a '(__nettrace_netns)' -d 'network namespace: inode, path, or name that ip netns lists'
complete -c nettrace -n '__nettrace_is show' -l ifname -x -a '(__nettrace_interfaces)' -d 'interface of the first sight, or of a socket\'s route'
complete -c nettrace -n '__nettrace_is show' -l pid -x -d 'process that owns the packet\'s socket'
complete -c nettrace -n '__nettrace_is show' -l comm -x -d 'name of that process, at most 15 bytes'
complete -c nettrace -n '__nettrace_is show' -l netns-current -d 'the network namespace of this shell'
complete -c nettrace -n '__nettrace_is show' -l filter -x -d 'expression as for tcpdump: \'tcp port 8000\' (see pcap-filter(7))'
complete -c nettrace -n '__nettrace_is show' -l filter-tunnel -x -d 'expression on the inner packet of VXLAN, Geneve, GRE, IP tunnels'
complete -c nettrace -n '__nettrace_is show' -l filter-meta -x -d 'on struct sk_buff\'s fields: \'mark == 0x10 && dev.name == "eth0"\''
complete -c nettrace -n '__nettrace_is show' -l basic -d 'each function by itself, at once'
complete -c nettrace -n '__nettrace_is show' -l drop -d 'dropped packets, with reason and place'
complete -c nettrace -n '__nettrace_is show' -l monitor -d 'abnormal events: drops, resets, retransmissions, full queues ...'
complete -c nettrace -n '__nettrace_is show' -l sock -d 'what happens to TCP and UDP sockets, in place of packets'
complete -c nettrace -n '__nettrace_is show' -l rtt -d 'distribution of round-trip times of TCP, each second'
complete -c nettrace -n '__nettrace_is show' -l rtt-detail -d 'round-trip times of a connection at each acknowledgement'
complete -c nettrace -n '__nettrace_is show' -l latency -d 'time from the first function to the last one before the free'
complete -c nettrace -n '__nettrace_is show' -l latency-summary -d 'distribution of these times, each second'
complete -c nettrace -n '__nettrace_is show' -l func-stats -d 'how often each function was called, at the end'
complete -c nettrace -n '__nettrace_is show' -l drop-stack -d 'with --drop: call stacks'
complete -c nettrace -n '__nettrace_is show' -l drop-all -d 'with --drop or --monitor: also frees that are no loss'
complete -c nettrace -n '__nettrace_is show' -l latency-free -d 'with --latency or --latency-summary: time up to the free'
complete -c nettrace -n '__nettrace_is show' -l filter-srtt -x -d 'with --rtt, --rtt-detail, --sock, --monitor: smoothed RTT at least'
complete -c nettrace -n '__nettrace_is show' -l filter-minrtt -x -d 'with the same: smallest RTT at least'
complete -c nettrace -n '__nettrace_is show' -s t -l trace -x -a '(__fish_complete_list , __nettrace_probes)' -d 'trace these, and where packets are followed, clones and frees'
complete -c nettrace -n '__nettrace_is show' -l trace-exclude -x -a '(__fish_complete_list , __nettrace_probes)' -d 'leave these out'
complete -c nettrace -n '__nettrace_is show' -l trace-matcher -x -a '(__fish_complete_list , __nettrace_probes)' -d 'packets may be seen for the first time only here'
complete -c nettrace -n '__nettrace_is show' -l trace-free -x -a '(__fish_complete_list , __nettrace_probes)' -d 'a packet ends here'
complete -c nettrace -n '__nettrace_is show' -l trace-stack -x -a '(__fish_complete_list , __nettrace_probes)' -d 'trace these too, and show their call stacks'
complete -c nettrace -n '__nettrace_is show' -l trace-noclone -d 'clones do not join the packet that they were made from'
complete -c nettrace -n '__nettrace_is show' -l diag -d 'what is wrong, and what to do about it; ends at the first error'
complete -c nettrace -n '__nettrace_is show' -l diag-keep -d 'with --diag: go on after an error'
complete -c nettrace -n '__nettrace_is show' -l diag-quiet -d 'with --diag: only packets with a warning or an error'
complete -c nettrace -n '__nettrace_is show' -l explain -d 'evidence and advice of verdicts; a verdict for each TCP connection'
complete -c nettrace -n '__nettrace_is show' -s c -l count -x -d 'end after so many packets, or whatever is reported'
complete -c nettrace -n '__nettrace_is show' -l json -d 'one JSON object a line: a packet, or whatever is reported'
complete -c nettrace -n '__nettrace_is show' -s o -l output -r -F -d 'write to a file (mode 0600), compressed if it ends in .gz or .zst'
complete -c nettrace -n '__nettrace_is show' -l rotate -x -d 'keep n (9) full files, FILE.1 ..., of SIZE bytes (K, M, G)'
complete -c nettrace -n '__nettrace_is show' -l date -d 'wall-clock time in place of seconds since the machine started'
complete -c nettrace -n '__nettrace_is show' -l detail -d 'skb, CPU, interface, owner, netns, TCP options, mark and length'
complete -c nettrace -n '__nettrace_is show' -l ret -d 'return values of all functions'
complete -c nettrace -n '__nettrace_is show' -l tiny-show -d 'the packet on the first line of its block, notes on drops only'
complete -c nettrace -n '__nettrace_is show' -l latency-show -d 'milliseconds since the last function, and of the whole way'
complete -c nettrace -n '__nettrace_is show' -l min-latency -x -d 'packets that took at least so long; shown as with --latency-show'
complete -c nettrace -n '__nettrace_is show' -l hooks -d 'functions that are registered at each netfilter hook, where they were recorded'
complete -c nettrace -n '__nettrace_is show' -s h -l help -d 'show this help'
complete -c nettrace -n '__nettrace_is diff' -s s -l saddr -x -d 'source address, IPv4 or IPv6, or CIDR; up to 8'
complete -c nettrace -n '__nettrace_is diff' -s d -l daddr -x -d 'destination address'
complete -c nettrace -n '__nettrace_is diff' -l addr -x -d 'source or destination address'
complete -c nettrace -n '__nettrace_is diff' -s S -l sport -x -d 'source port, or range such as 8000-8010; up to 16'
complete -c nettrace -n '__nettrace_is diff' -s D -l dport -x -d 'destination port'
complete -c nettrace -n '__nettrace_is diff' -s P -l port -x -d 'source or destination port'
complete -c nettrace -n '__nettrace_is diff' -s p -l proto -x -a 'tcp udp icmp icmpv6 arp ip ipv6 igmp ipip dccp gre esp ah ospf pim vrrp l2tp sctp udplite' -d 'protocol, or the number of one that IP carries: tcp, udp, icmp, icmpv6, arp, ip, ipv6, igmp, ipip, dccp, gre, esp, ah, ospf, pim, vrrp, l2tp, sctp, udplite'
complete -c nettrace -n '__nettrace_is diff' -l tcp-flags -x -d 'TCP flags of SARPFU, all of one set (SA,R: SYN-ACKs and RSTs)'
complete -c nettrace -n '__nettrace_is diff' -l pkt-len -x -d 'length from the IP or ARP header on, or a range'
complete -c nettrace -n '__nettrace_is diff' -l netns -x -a '(__nettrace_netns)' -d 'network namespace: inode, path, or name that ip netns lists'
complete -c nettrace -n '__nettrace_is diff' -l ifname -x -a '(__nettrace_interfaces)' -d 'interface of the first sight, or of a socket\'s route'
complete -c nettrace -n '__nettrace_is diff' -l pid -x -d 'process that owns the packet\'s socket'
complete -c nettrace -n '__nettrace_is diff' -l comm -x -d 'name of that process, at most 15 bytes'
complete -c nettrace -n '__nettrace_is diff' -l json -d 'as JSON'
complete -c nettrace -n '__nettrace_is diff' -s h -l help -d 'show this help'
complete -c nettrace -n '__nettrace_is connections' -s s -l saddr -x -d 'source address, IPv4 or IPv6, or CIDR; up to 8'
complete -c nettrace -n '__nettrace_is connections' -s d -l daddr -x -d 'destination address'
complete -c nettrace -n '__nettrace_is connections' -l addr -x -d 'source or destination address'
complete -c nettrace -n '__nettrace_is connections' -s S -l sport -x -d 'source port, or range such as 8000-8010; up to 16'
complete -c nettrace -n '__nettrace_is connections' -s D -l dport -x -d 'destination port'
complete -c nettrace -n '__nettrace_is connections' -s P -l port -x -d 'source or destination port'
complete -c nettrace -n '__nettrace_is connections' -s p -l proto -x -a 'tcp udp raw' -d 'protocol (default: tcp): tcp, udp, raw'
complete -c nettrace -n '__nettrace_is connections' -l state -x -d 'state of TCP, such as ESTABLISHED or SYN_RECV (default: all but LISTEN)'
complete -c nettrace -n '__nettrace_is connections' -s l -l listen -d 'listeners: length and limit of the accept queue, length of the SYN queue'
complete -c nettrace -n '__nettrace_is connections' -l netns -x -a '(__nettrace_netns)' -d 'network namespace: inode, path, or name that ip netns lists'
complete -c nettrace -n '__nettrace_is connections' -l pid -x -d 'process that owns the socket'
complete -c nettrace -n '__nettrace_is connections' -l comm -x -d 'name of that process, at most 15 bytes'
complete -c nettrace -n '__nettrace_is connections' -l json -d 'one JSON object a line: a socket'
complete -c nettrace -n '__nettrace_is connections' -s h -l help -d 'show this help'
complete -c nettrace -n '__nettrace_is doctor' -l json -d 'as JSON'
complete -c nettrace -n '__nettrace_is doctor' -s h -l help -d 'show this help'
complete -c nettrace -n '__nettrace_is probes' -l json -d 'as JSON'
complete -c nettrace -n '__nettrace_is probes' -s h -l help -d 'show this help'
complete -c nettrace -n '__nettrace_is repro' -l set -x -d 'value of a parameter (repro list names them); several times'
complete -c nettrace -n '__nettrace_is repro' -l repeat -x -d 'each case so many times'
complete -c nettrace -n '__nettrace_is repro' -l jobs -x -d 'so many cases at once (default: 1)'
complete -c nettrace -n '__nettrace_is repro' -l seed -x -d 'other random numbers in the case (default: 1)'
complete -c nettrace -n '__nettrace_is repro' -l backend -x -a 'kprobe-multi kprobe fentry tracepoint' -d 'attach in this way only: kprobe-multi, kprobe, fentry, tracepoint'
complete -c nettrace -n '__nettrace_is repro' -l keep -d 'leave the network standing, and say how to enter it'
complete -c nettrace -n '__nettrace_is repro' -l json -d 'one JSON object a line: traces, then what became of the case'
complete -c nettrace -n '__nettrace_is repro' -s o -l output -r -F -d 'write to a file (mode 0600), compressed if it ends in .gz or .zst'
complete -c nettrace -n '__nettrace_is repro' -l pcap -r -F -d 'packets of the case\'s links too, for tcpdump'
complete -c nettrace -n '__nettrace_is repro' -l detail -d 'skb, CPU, interface, owner, netns, TCP options, mark and length'
complete -c nettrace -n '__nettrace_is repro' -s h -l help -d 'show this help'
